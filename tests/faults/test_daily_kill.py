"""kill -9 at commits of a batch, of the history and of the lake: nothing is lost, nothing doubled."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.daily.test_run import texts, write
from tests.support.cli import command, ringlake, write_run
from tests.support.ended import end_when
from tests.support.tables import content_hash, rows

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(3600)]

TABLES = ("documents", "clean", "corpus", "duplicates", "tokens", "sequences", "sources")

SECOND = (
    "batches/000001/tables/clean",
    "history/tables/signatures",
    "batches/000001/tables/sequences",
    "tables/sources",
    "tables/corpus",
    "tables/tokens",
    "tables/sequences",
    "tables/batches",
)
"""Tables behind whose next commit the second day is killed."""


def _commits(table: Path) -> int:
    return len(list((table / "_delta_log").glob("*.json"))) if table.is_dir() else 0


def test_a_day_killed_at_many_commits_is_in_the_lake_once(tmp_path: Path) -> None:
    base = texts(5, 30)
    folder = tmp_path / "in"
    write(folder, {"a.jsonl": base[:12], "b.jsonl": [base[0], *base[12:16]]})
    run_file = write_run(tmp_path / "run.yaml", folder)
    settings = ["--set", "clean.profile=none", "--set", "dedup.ngram=2"]
    calm, hit = tmp_path / "calm", tmp_path / "hit"

    def args(lake: Path) -> list[str | Path]:
        return ["run", run_file, "--incremental", "--until", "pack", "--set", f"lake={lake}", *settings]

    for lake in (calm, hit):
        ringlake(*args(lake))
    write(folder, {"b.jsonl": base[12:15], "c.jsonl": [f"{base[1]} and more", base[2], *base[16:24]]})
    ringlake(*args(calm))
    for number, name in enumerate(SECOND):
        table = hit / name
        before = _commits(table)
        if name.startswith("batches/") and before:
            continue
        log = tmp_path / f"log{number}"
        end_when(
            command(*args(hit)),
            log,
            f"commit of {name}",
            signal.SIGKILL,
            lambda table=table, before=before: _commits(table) > before,  # type: ignore[misc]
        )
    ringlake(*args(hit))
    for name in TABLES:
        left = [{k: v for k, v in row.items() if k != "version"} for row in rows(hit, name)]
        assert left, f"{name} shows nothing"
        if name != "sources":
            assert content_hash(hit, name) == content_hash(calm, name), name
    assert sorted(row["number"] for row in rows(hit, "batches")) == [0, 1]
    assert content_hash(hit / "history", "signatures") == content_hash(calm / "history", "signatures")
    assert not list((hit / "batches").iterdir())
