"""Tables are replaced in one commit, pinned by version, and never hold a null they must not hold."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake import Catalog, Lake, read_table, write_table
from tests.support.tables import rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "lake")
    lake.create()
    return lake


def _corpus(spark: SparkSession, *texts: str) -> DataFrame:
    data = [
        (f"{number:032x}", "file", None, text, None, None, len(text), None, "en", 1, "train")
        for number, text in enumerate(texts)
    ]
    return spark.createDataFrame(
        data,
        "doc_id string, source string, source_id string, text string, target string, label string, "
        "num_bytes long, url string, lang string, cluster_size long, split string",
    )


def test_a_rewrite_replaces_and_old_versions_stay_readable(spark: SparkSession, lake: Lake) -> None:
    first = write_table(spark, lake, "corpus", _corpus(spark, "a", "b"), {"stage": "dedup", "run_key": "k"})
    second = write_table(spark, lake, "corpus", _corpus(spark, "c"), {"stage": "dedup"})
    assert (first, second) == (0, 1)
    assert [row.text for row in read_table(spark, lake, "corpus").collect()] == ["c"]
    assert {row.text for row in read_table(spark, lake, "corpus", first).collect()} == {"a", "b"}
    info = Catalog(lake).info("corpus", first)
    assert (info.rows, info.metadata) == (2, {"stage": "dedup", "run_key": "k"})
    assert info.bytes > 0


def test_a_null_where_none_may_be_fails_and_leaves_the_table(spark: SparkSession, lake: Lake) -> None:
    write_table(spark, lake, "corpus", _corpus(spark, "a"), {})
    broken = _corpus(spark, "b").withColumn("text", F.lit(None).cast("string"))
    with pytest.raises(PySparkException, match=r"corpus\.text is null"):
        write_table(spark, lake, "corpus", broken, {})
    assert [row["text"] for row in rows(lake.location, "corpus")] == ["a"]


def test_columns_that_are_not_the_schemas_are_refused(spark: SparkSession, lake: Lake) -> None:
    with pytest.raises(ValueError, match="cluster_size"):
        write_table(spark, lake, "corpus", _corpus(spark, "a").drop("cluster_size"), {})
    assert not Catalog(lake).exists("corpus")


def test_settings_hold_for_one_write_and_set_the_row_groups(spark: SparkSession, lake: Lake) -> None:
    frame = spark.range(100).selectExpr(
        "'train' split", "id sequence_id", "X'01000200' input_ids", "2 num_tokens",
        "array(named_struct('doc_id', 'a', 'start', 0, 'end', 2, 'doc_start', 0L)) segments",
    ).coalesce(1)  # fmt: skip
    version = write_table(spark, lake, "sequences", frame, {}, {"parquet.block.row.count.limit": "30"})
    files = Catalog(lake).active_files("sequences", version, {"split": "train"})
    assert [file.num_rows for file in files] == [100]
    meta = pq.ParquetFile(files[0].path).metadata
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [30, 30, 30, 10]
    assert spark.conf.get("parquet.block.row.count.limit", "unset") == "unset"
    assert Catalog(lake).active_files("sequences", version, {"split": "validation"}) == ()


def test_large_documents_do_not_fill_a_group_of_rows_by_the_hundred(spark: SparkSession, lake: Lake) -> None:
    draw = random.Random(1)
    texts = _corpus(spark, *(draw.randbytes(50_000).hex() for _ in range(60))).coalesce(1)
    version = write_table(spark, lake, "corpus", texts, {}, {"parquet.block.size": str(2**20)})
    (file,) = Catalog(lake).active_files("corpus", version, {})
    groups = pq.ParquetFile(file.path).metadata
    largest = max(groups.row_group(number).total_byte_size for number in range(groups.num_row_groups))
    assert largest < 2 * 2**20


def test_a_missing_table_names_those_there_are(spark: SparkSession, lake: Lake) -> None:
    write_table(spark, lake, "corpus", _corpus(spark, "a"), {})
    with pytest.raises(InputError, match=r"no table 'clean'.*its tables: corpus"):
        read_table(spark, lake, "clean")
    with pytest.raises(InputError, match="version 7"):
        read_table(spark, lake, "corpus", 7)


def test_what_an_earlier_release_had_no_column_for_is_null(spark: SparkSession, lake: Lake) -> None:
    older = _corpus(spark, "a").drop("label")
    older.write.format("delta").save(lake.spark_table("corpus"))
    assert [(row.text, row.label) for row in read_table(spark, lake, "corpus").collect()] == [("a", None)]


def test_an_unwritable_lake_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentProblem, match=r"cannot be written to.*another folder"):
        Lake.at(tmp_path / "file" / "lake").create()


def test_two_runs_cannot_hold_one_lake(lake: Lake) -> None:
    with lake.locked(), pytest.raises(EnvironmentProblem, match="another ringlake"), lake.locked():
        pass
    with lake.locked():
        pass
