"""A lake whose tables have names in a catalog: the whole job, and what stays of a table written again.

Spark's own catalog stands for one of Unity Catalog: the code is the same but for the names.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from typer.testing import CliRunner

import ringlake
from pipelines.cli.main import app
from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake import Catalog, Lake, Ledger, read_arrow, read_table, stream_arrow, write_table
from pipelines.lake.allowed import check_schema, check_session
from pipelines.lake.external import find_external, read_external, stream_external
from pipelines.lake.lookup import find_everywhere, find_rows
from ringlake.base import storage
from ringlake.base.named import Names
from ringlake.base.storage import Folder
from tests.support.cli import environment, write_run
from tests.support.cli import ringlake as cli
from tests.support.corpus import write_corpus


@dataclass(frozen=True)
class Named:
    """A lake with names.

    Attributes:
        location: The lake as users name it.
        schema: Its schema.
        folder: Folder of the schema's tables (`tables`) and of the lake's files (`files`).
    """

    location: str
    schema: str
    folder: Path

    @property
    def lake(self) -> Lake:
        return Lake.at(self.location)


def _named(spark: SparkSession, folder: Path, schema: str) -> Named:
    spark.sql(f"CREATE SCHEMA spark_catalog.{schema} LOCATION '{folder / 'tables'}'")
    named = Named(f"unity://spark_catalog.{schema}{folder}/files", schema, folder)
    named.lake.create()
    return named


@pytest.fixture
def named(spark: SparkSession, tmp_path: Path) -> Iterator[Named]:
    """An empty lake with names."""
    yield _named(spark, tmp_path, "names_few")
    spark.sql("DROP SCHEMA spark_catalog.names_few CASCADE")


def _corpus(spark: SparkSession, *texts: str) -> DataFrame:
    data = [
        (f"{number:032x}", "file", f"o'{number}\\", text, None, None, len(text), None, "en", 1, "train")
        for number, text in enumerate(texts)
    ]
    return spark.createDataFrame(
        data,
        "doc_id string, source string, source_id string, text string, target string, label string, "
        "num_bytes long, url string, lang string, cluster_size long, split string",
    )


def _detail(spark: SparkSession, named: Named, table: str) -> Any:
    return spark.sql(f"DESCRIBE DETAIL spark_catalog.{named.schema}.{table}").collect()[0]


def test_a_table_that_is_written_again_is_the_same_table(spark: SparkSession, named: Named) -> None:
    lake = named.lake
    assert write_table(spark, lake, "corpus", _corpus(spark, "a", "b"), {"stage": "dedup"}) == 0
    full = f"spark_catalog.{named.schema}.corpus"
    # Grants belong to the table as its id and properties do; a table made anew would have others.
    spark.sql(f"ALTER TABLE {full} SET TBLPROPERTIES ('owned.by' = 'people')")
    before = _detail(spark, named, "corpus")
    assert write_table(spark, lake, "corpus", _corpus(spark, "c"), {"stage": "again"}) == 2
    # As of another release: one column less, one more.
    other = _corpus(spark, "d").drop("url").withColumnRenamed("lang", "tongue")
    other.writeTo(full).option("overwriteSchema", "true").overwrite(F.lit(True))
    written = write_table(spark, lake, "corpus", _corpus(spark, "e", "f", "g"), {"stage": "third"})

    after = _detail(spark, named, "corpus")
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"])
    assert after["properties"]["owned.by"] == "people"
    assert after["partitionColumns"] == before["partitionColumns"]
    done = [operation for _, operation, _ in Catalog(lake).commits("corpus")]
    assert not [operation for operation in done[:-1] if "CREATE" in operation or "REPLACE" in operation]
    assert {row.text for row in read_table(spark, lake, "corpus", 0).collect()} == {"a", "b"}
    assert Catalog(lake).info("corpus", 0).metadata == {"stage": "dedup"}
    assert Catalog(lake).info("corpus").rows == 3
    assert Catalog(lake).version("corpus") == written
    with pytest.raises(InputError, match="version 99"):
        Catalog(lake).info("corpus", 99)
    with pytest.raises(InputError, match=r"no table 'tokens'.*corpus"):
        Catalog(lake).info("tokens")


def test_rows_are_found_by_hostile_values_and_in_every_version(spark: SparkSession, named: Named) -> None:
    lake = named.lake
    write_table(spark, lake, "corpus", _corpus(spark, "a", "b"), {})
    write_table(spark, lake, "corpus", _corpus(spark, "c"), {})
    wanted = "o'0\\"
    (row,) = find_rows(lake, "corpus", "source_id", [wanted], ["source_id", "text"])
    assert row == {"source_id": wanted, "text": "c"}
    assert find_rows(lake, "corpus", "source_id", ["x') OR ('1' = '1"], ["text"]) == []
    found = find_everywhere(lake, "corpus", "source_id", [wanted], ["text"])
    assert [(item.versions, item.row["text"]) for item in found] == [((1,), "c"), ((0,), "a")]
    streamed = [row for batch in stream_arrow(lake, "corpus", version=0) for row in batch.to_pylist()]
    read = read_arrow(lake, "corpus", version=0).to_pylist()
    assert sorted(streamed, key=str) == sorted(read, key=str)


def test_a_table_of_others_is_read_by_its_name(spark: SparkSession, named: Named) -> None:
    full = f"spark_catalog.{named.schema}.given"
    spark.createDataFrame([(1, "a"), (2, "b")], "id long, body string").writeTo(full).using("delta").create()
    spark.sql(f"DELETE FROM {full} WHERE id = 1")
    found = find_external(f"unity://{full}@0")
    assert (found.version, found.num_rows, found.columns) == (0, 2, ("id", "body"))
    assert find_external(f"unity://{full}").version == 1
    assert found.num_bytes > 0
    assert [row.body for row in read_external(spark, found.location, 0).orderBy("id").collect()] == ["a", "b"]
    streamed = [row for batch in stream_external(found, ["body"]) for row in batch.to_pylist()]
    assert sorted(row["body"] for row in streamed) == ["a", "b"]
    # It is nobody's business what else lies in the schema.
    assert Catalog(named.lake).names() == []
    with pytest.raises(InputError, match=r"ingest\.inputs.*no Delta table that can be read"):
        find_external(f"unity://{full}s")


def test_a_copy_is_made_once_and_those_of_old_versions_go(spark: SparkSession, named: Named) -> None:
    lake, catalog = named.lake, Catalog(named.lake)
    for number in range(4):
        write_table(spark, lake, "sequences", _sequences(spark, 100 + number), {"rows_per_group": 16})
        files = catalog.active_files(
            "sequences", number, {"split": "train"}, ("sequence_id", "input_ids"), "sequence_id"
        )
        assert sum(file.num_rows for file in files) == 100 + number
        assert files == catalog.active_files("sequences", number, {"split": "train"})
    copies = lake.root.child("copies")
    lists = [name for name in copies.names() if name.endswith(".json")]
    assert [name.rpartition("-v")[2] for name in lists] == ["2.json", "3.json"]
    assert len(copies.names()) == 2 * len(lists)
    # Upkeep leaves the rows, a deletion does not.
    full = f"spark_catalog.{named.schema}.sequences"
    spark.sql(f"OPTIMIZE {full}")
    spark.sql(f"ALTER TABLE {full} SET TBLPROPERTIES ('x' = 'y')")
    assert catalog.same_rows("sequences", 3, catalog.version("sequences") or 0)
    spark.sql(f"DELETE FROM {full} WHERE sequence_id = 1")
    assert not catalog.same_rows("sequences", 3, catalog.version("sequences") or 0)


def test_what_a_catalog_does_not_allow_is_said_in_one_line(spark: SparkSession, named: Named) -> None:
    with pytest.raises(EnvironmentProblem, match=r"CREATE SCHEMA spark_catalog\.nowhere"):
        check_schema(spark, Names("spark_catalog", "nowhere"))
    with pytest.raises(EnvironmentProblem, match="is main a catalog of this session"):
        ringlake.open_lake("unity://main.corpus")
    with pytest.raises(InputError, match=r"unity://CATALOG.SCHEMA/FOLDER"):
        Lake.at("unity://main")
    with pytest.raises(InputError, match="names no folder for files"):
        Lake.at("unity://spark_catalog.corpus")
    with pytest.raises(EnvironmentProblem, match=r"CREATE VOLUME main\.corpus\.ringlake"):
        Lake.at("unity://main.corpus").create()
    assert Ledger(named.lake).records() == []


def test_a_session_of_spark_connect_is_refused() -> None:
    connect = pytest.importorskip("pyspark.sql.connect.session", exc_type=ImportError)
    session = object.__new__(connect.SparkSession)
    with pytest.raises(EnvironmentProblem, match="dedicated access mode"):
        check_session(session)


def test_a_volume_is_no_local_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "VOLUMES", f"{tmp_path}/Volumes/")
    folder = Folder(f"{tmp_path}/Volumes/main/corpus/files")
    folder.create()
    assert not folder.is_local
    assert Folder(str(tmp_path)).is_local
    folder.append("log", b"a")
    folder.append("log", b"b")
    assert folder.read("log") == b"ab"
    # A lease, since a lock of the kernel would hold on one machine only.
    lake = Lake(folder)
    with lake.locked():
        assert json.loads(folder.read(".lock"))["process"]
    assert not folder.exists(".lock")
    assert not lake.spark_log.is_relative_to(folder.location)


@pytest.mark.rare
def test_the_whole_job_with_names(spark: SparkSession, tmp_path: Path) -> None:
    named = _named(spark, tmp_path, "names_job")
    write_corpus(tmp_path / "corpus.jsonl", 200)
    run_file = write_run(tmp_path / "run.yaml", tmp_path / "corpus.jsonl", card={"license": "cc-by-4.0"})
    settings = {"lake": named.location, "train.steps": 8, "train.validate_every": 8}

    first = ringlake.run(run_file, settings=settings)

    assert [run.state for run in first] == ["succeeded"] * len(first)
    assert {"ingest", "train", "evaluate", "report"} <= {run.stage for run in first}
    # No table lies in the folder, and no file in the schema's.
    assert not (tmp_path / "files" / "tables").exists()
    assert {"corpus", "sequences", "runs"} <= {place.name for place in (tmp_path / "tables").iterdir()}
    assert (tmp_path / "files" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "files" / "model" / "model.safetensors").exists()

    # Up to date: the same runs, none added.
    again = ringlake.run(run_file, settings=settings)
    assert [run.started_at for run in again] == [run.started_at for run in first]
    lake = ringlake.open_lake(named.location)
    assert len(lake.runs()) == len(first)

    # What is read by name is what the files hold.
    sequences = lake.table("sequences")
    assert sequences.num_rows == sum(batch.num_rows for batch in sequences.to_batches(["sequence_id"]))
    copies = [json.loads(path.read_text()) for path in (tmp_path / "files" / "copies").glob("*.json")]
    assert sum(rows for copy in copies for _, rows in copy["files"]) == sequences.num_rows
    told = lake.table("runs", 0).to_arrow(["stage", "rows_in"]).to_pylist()
    assert told == [{"stage": "ingest", "rows_in": first[0].rows_in}]

    status = CliRunner().invoke(app, ["status", named.location, "--json"])
    assert status.exit_code == 0, status.output
    value = json.loads(status.output)
    assert value["tables"]["sequences"]["rows"] == sequences.num_rows
    assert value["tables"]["corpus"]["bytes"] > 0
    assert [run["stage"] for run in value["runs"]] == [run.stage for run in first]
    where = "split = 'validation' AND num_bytes > 0"
    shown = CliRunner().invoke(
        app, ["show", named.location, "corpus", "--where", where, "--limit", "1", "--format", "jsonl"]
    )
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["split"] == "validation"
    unknown = CliRunner().invoke(app, ["show", named.location, "corpus", "--where", "nothing = 1"])
    assert unknown.exit_code != 0
    assert "num_bytes" in str(unknown.exception or unknown.output)
    spark.sql("DROP SCHEMA spark_catalog.names_job CASCADE")


@pytest.mark.rare
def test_a_job_of_several_processes_with_a_catalog_that_stays(tmp_path: Path) -> None:
    """The command line: each process starts a session for the catalog, here Hive's in a folder."""
    settings = {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": f"{tmp_path}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={tmp_path}/db;create=true",
    }
    (tmp_path / "conf").mkdir()
    lines = "".join(f"{key} {value}\n" for key, value in settings.items())
    (tmp_path / "conf" / "spark-defaults.conf").write_text(lines)
    env = {"SPARK_CONF_DIR": f"{tmp_path}/conf"}
    code = (
        "from conf.spark import SparkConfig; from pipelines.session import open_session;"
        "open_session(SparkConfig(master='local[1]'), 'x').sql('CREATE SCHEMA spark_catalog.job')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(**env))
    write_corpus(tmp_path / "corpus.jsonl", 200)
    run_file = write_run(tmp_path / "run.yaml", tmp_path / "corpus.jsonl")
    lake = f"unity://spark_catalog.job{tmp_path}/files"
    arguments = ("run", run_file, "--set", f"lake={lake}", "--set", "train.steps=8")

    done = cli(*arguments, env=env)
    assert "report.html" in done.stderr
    assert cli(*arguments, env=env).stderr.count("up to date") == len(json.loads(_status(lake, env))["runs"])
    assert json.loads(_status(lake, env))["tables"]["sequences"]["rows"] > 0
    shown = cli("show", lake, "corpus", "--limit", "2", "--format", "jsonl", env=env).stdout
    assert len(shown.splitlines()) == 2


def _status(lake: str, env: dict[str, str]) -> str:
    return cli("status", lake, "--json", env=env).stdout


def _sequences(spark: SparkSession, number: int) -> DataFrame:
    return spark.range(number).selectExpr(
        "'train' split", "id sequence_id", "X'01000200' input_ids", "2 num_tokens",
        "array(named_struct('doc_id', 'a', 'start', 0, 'end', 2, 'doc_start', 0L)) segments",
    )  # fmt: skip
