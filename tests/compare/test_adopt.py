"""A lake takes over what another one has run: the same rows and versions, and nothing of either changes."""

from __future__ import annotations

from pathlib import Path

from pipelines.compare.adopt import ADOPTED, adopt
from pipelines.lake import Catalog, Lake, Ledger, read_arrow
from pipelines.stages import BY_NAME

DATA = [BY_NAME[name] for name in ("ingest", "clean", "dedup", "tokenize", "pack")]


def test_tables_versions_and_runs_are_the_others(small_lake: Path, tmp_path: Path) -> None:
    source, target = Lake.at(small_lake), Lake.at(tmp_path / "lake")
    assert adopt(source, target, DATA) == [stage.name for stage in DATA]
    for name in ("documents", "rejected", "corpus", "sequences"):
        mine, theirs = Catalog(target).info(name), Catalog(source).info(name)
        assert (mine.version, mine.rows, mine.metadata) == (theirs.version, theirs.rows, theirs.metadata)
    assert "signatures" not in Catalog(target).names()
    runs = {record.stage: record for record in Ledger(target).records()}
    assert list(runs) == [stage.name for stage in DATA]
    assert runs["dedup"].run_id == Ledger(source).latest("dedup").run_id  # type: ignore[union-attr]
    assert runs["dedup"].details[ADOPTED] == source.location
    tokenizers = sorted(folder.name for folder in (small_lake / "tokenizers").iterdir())
    assert sorted(folder.name for folder in (tmp_path / "lake" / "tokenizers").iterdir()) == tokenizers


def test_data_files_are_shared_and_the_log_is_not(small_lake: Path, tmp_path: Path) -> None:
    adopt(Lake.at(small_lake), Lake.at(tmp_path / "lake"), DATA[:1])
    table = tmp_path / "lake" / "tables" / "documents"
    data = [file for file in table.rglob("*.parquet") if "_delta_log" not in file.parts]
    log = list((table / "_delta_log").glob("*.json"))
    assert data and all(file.stat().st_nlink > 1 for file in data)
    assert log and all(file.stat().st_nlink == 1 for file in log)


def test_what_is_there_already_is_left_and_what_a_kill_left_out_is_done(
    small_lake: Path, tmp_path: Path
) -> None:
    source, target = Lake.at(small_lake), Lake.at(tmp_path / "lake")
    adopt(source, target, DATA[:2])
    # As a kill leaves it: a table half linked, its run not in the ledger yet.
    (tmp_path / "lake" / ".adopting-corpus").mkdir()
    (tmp_path / "lake" / "tables" / "corpus").mkdir()
    assert adopt(source, target, DATA) == ["dedup", "tokenize", "pack"]
    assert adopt(source, target, DATA) == []
    assert len(Ledger(target).records()) == len(DATA)
    ids = [set(read_arrow(lake, "corpus", ["doc_id"])["doc_id"].to_pylist()) for lake in (source, target)]
    assert ids[0] == ids[1]
