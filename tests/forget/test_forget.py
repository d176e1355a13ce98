"""What is forgotten is in no byte of the lake; all else is as it was, and trainings find what they know."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.errors import EnvironmentProblem, InputError
from pipelines.forget.forget import Forgotten, forget
from pipelines.forget.request import Request
from pipelines.lake import Catalog, Lake, read_arrow
from pipelines.lake.erasures import erasures_of, refuse_unfinished
from pipelines.run.snapshots import take_snapshot
from ringlake.base.storage import Folder
from tests.forget.made import EOD, LENGTH, Made, make_lake
from tests.forget.search import files_with, needles
from tests.support.cli import ringlake
from training.data.layout import read_layout

VERSIONS = (0, 1)


def quiet(_line: str) -> None:
    """Takes what is said."""


def forgotten(made: Made, *names: str, **more: Any) -> Forgotten:
    request = Request(tuple(made.ids[name] for name in names), near=more.pop("near", False))
    return forget(made.lake, request, "request 17", quiet, **more)


def rows(lake: Lake, name: str, version: int | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_arrow(lake, name, version=version).to_pylist(maps_as_pydicts="strict")
    return found


def state(folder: Path) -> dict[str, bytes]:
    """Every file of a lake but its lock."""
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_lake(tmp_path_factory.mktemp("original") / "lake")


def copied(original: Made, folder: Path) -> Made:
    shutil.copytree(original.lake.root.local_path, folder)
    return replace(original, lake=Lake.at(folder))


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    return copied(original, tmp_path / "lake")


def test_no_byte_of_a_forgotten_text_is_left(made: Made) -> None:
    root, wanted = made.lake.root.local_path, needles(made.texts["u1"])
    before = files_with(root, wanted)
    kinds = ("documents/part-lost", "documents/_delta_log/", "clean/", "corpus/", "tokens/", "sequences/")
    for kind in (*(f"tables/{each}" for each in kinds), "report.html", "samples.json", "logs/spark.log"):
        assert any(path.startswith(kind) for path in before), f"the search does not see {kind}"
    found = forgotten(made, "u1").erasures[0]
    # A model's files are a training's; they are told of, and left.
    assert files_with(root, wanted) == {"model/README.md"}
    assert found.done["left"] == ["model/README.md"]
    assert not (root / "indexes").exists()
    assert not (root / "tables" / "documents" / "part-cut.parquet").exists()
    assert (root / "evaluation.json").exists()
    for name in ("u0", "u2", "bad"):
        assert files_with(root, needles(made.texts[name])), f"{name} is gone too"


def test_all_accounts_close_in_every_version(made: Made) -> None:
    forgotten(made, "u1", "bad")
    forgotten(made, "u5")
    for version in VERSIONS:
        table = {
            name: rows(made.lake, name, version) for name in Catalog(made.lake).names() if name != "erasures"
        }
        (source,) = table["sources"]
        assert source["records"] == source["kept"] + source["quarantined"]
        assert source["records"] == len(table["documents"]) + sum(
            row["records"] for row in table["quarantine"]
        )
        assert source["skipped"] == {"erased": 3}
        assert len(table["documents"]) == 7 == len(table["clean"]) + len(table["rejected"])
        assert len(table["clean"]) == len(table["corpus"]) + len(table["duplicates"])
        assert {row["doc_id"] for row in table["corpus"]} == {row["doc_id"] for row in table["tokens"]}
        segments = [segment for row in table["sequences"] for segment in row["segments"]]
        kept = sum(segment["end"] - segment["start"] for segment in segments)
        assert kept == sum(row["num_tokens"] + 1 for row in table["tokens"])


def test_other_sequences_and_all_that_trainings_pin_stay(made: Made) -> None:
    lake = made.lake
    snapshots = [take_snapshot(lake, "train", version) for version in VERSIONS]
    layouts = [read_layout(snapshot) for snapshot in snapshots]
    before = {version: _by_place(rows(lake, "sequences", version)) for version in VERSIONS}
    numbers = {name: Catalog(lake).version(name) for name in Catalog(lake).names()}
    found = forgotten(made, "u1").erasures[0]
    assert {name: Catalog(lake).version(name) for name in numbers} == numbers
    for version, old, layout in zip(VERSIONS, snapshots, layouts, strict=True):
        new = take_snapshot(lake, "train", version)
        assert new.files == old.files
        assert read_layout(new).fingerprint == layout.fingerprint
        assert (read_layout(new).first_ids == layout.first_ids).all()
        after = _by_place(rows(lake, "sequences", version))
        assert after.keys() == before[version].keys()
        changed = {place for place in after if after[place] != before[version][place]}
        told = next(each["ids"] for each in found.plan["sequences"] if each["version"] == version)
        assert changed == {(split, number) for split, ids in told.items() for number in ids}
        for place in changed:
            _check_masked(before[version][place], after[place], made.ids["u1"])


def _by_place(found: list[dict[str, Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["split"], row["sequence_id"]): row for row in found}


def _check_masked(old: Mapping[str, Any], new: Mapping[str, Any], gone: str) -> None:
    """The other documents' tokens in their order, then padding."""
    kept = [segment for segment in old["segments"] if segment["doc_id"] != gone]
    tokens = [token for each in kept for token in old["input_ids"][each["start"] : each["end"]]]
    assert list(new["input_ids"]) == tokens + [EOD] * (LENGTH - len(tokens))
    assert new["num_tokens"] == max(1, len(tokens))
    assert [(each["doc_id"], each["doc_start"]) for each in new["segments"]] == [
        (each["doc_id"], each["doc_start"]) for each in kept
    ]


def test_a_dry_run_shows_the_same_and_changes_nothing(made: Made) -> None:
    before = state(made.lake.root.local_path)
    shown = forgotten(made, "u1", dry_run=True).erasures[0]
    assert state(made.lake.root.local_path) == before
    done = forgotten(made, "u1").erasures[0]
    assert shown.plan == done.plan
    assert shown.documents == done.documents


def test_killed_anywhere_the_same_command_goes_on(
    original: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies before it replaces or deletes a file; of all of these every few are tried."""
    calm = copied(original, tmp_path / "calm")
    operations = _dying(monkeypatch, calm, 10**9)
    assert operations > 50
    for survives in range(0, operations, max(1, operations // 12)):
        hit = copied(original, tmp_path / f"hit-{survives}")
        assert _dying(monkeypatch, hit, survives) == survives
        with pytest.raises(EnvironmentProblem, match="interrupted"):
            refuse_unfinished(hit.lake)
        forgotten(hit, "u1")
        refuse_unfinished(hit.lake)
        (only,) = erasures_of(hit.lake)
        assert only.state == "done"
        assert files_with(hit.lake.root.local_path, needles(hit.texts["u1"])) == {"model/README.md"}
        for version in VERSIONS:
            for name in Catalog(hit.lake).names():
                if name != "erasures":
                    assert _sorted(rows(hit.lake, name, version)) == _sorted(rows(calm.lake, name, version))
        _check_log(hit.lake)


class Killed(BaseException):
    """As the end of the process: nothing catches it."""


def _dying(monkeypatch: pytest.MonkeyPatch, made: Made, survives: int) -> int:
    """Forgets a document, and dies before one more file is replaced or deleted; how many were."""
    done = 0

    def dying(name: str) -> Any:
        real = getattr(Folder, name)

        def operation(*args: Any) -> Any:
            nonlocal done
            if done == survives:
                raise Killed
            done += 1
            return real(*args)

        return operation

    with monkeypatch.context() as patch:
        for name in ("replacing", "delete"):
            patch.setattr(Folder, name, dying(name))
        with contextlib.suppress(Killed):
            forgotten(made, "u1")
    return done


def _sorted(found: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(row) for row in found)


def _check_log(lake: Lake) -> None:
    """The log says of each file the size and the rows that it has."""
    for name in Catalog(lake).names():
        for version in VERSIONS if name != "erasures" else ():
            for file in Catalog(lake).active_files(name, version, {}):
                assert pq.read_metadata(file.path).num_rows == file.num_rows
        for commit in (Path(lake.table(name)) / "_delta_log").glob("*.json"):
            for line in commit.read_text().splitlines():
                added = json.loads(line).get("add")
                if added and (path := Path(lake.table(name)) / added["path"]).exists():
                    assert added["size"] == path.stat().st_size


def test_equal_texts_go_together_and_near_ones_if_told(made: Made, original: Made, tmp_path: Path) -> None:
    found = forgotten(made, "a").erasures[0]
    why = {each["source_id"]: each["why"] for each in found.documents}
    assert why == {"a": "asked", "a-exact": "same text"}
    other = copied(original, tmp_path / "other")
    found = forgotten(other, "a-near", near=True).erasures[0]
    why = {each["source_id"]: each["why"] for each in found.documents}
    assert why == {"a": "near-duplicate", "a-exact": "near-duplicate", "a-near": "asked"}
    assert not files_with(other.lake.root.local_path, needles(other.texts["a"]))


def test_the_register_has_the_request_and_no_text(made: Made) -> None:
    word = made.texts["u1"].split()[1]
    request = Request(where=f"text LIKE '%{word}%' AND source = 'corpus.jsonl'")
    found = forget(made.lake, request, None, quiet).erasures[0]
    assert found.doc_ids == [made.ids["u1"]]
    assert found.request["where"] == "text LIKE '[11 characters]' AND source = 'corpus.jsonl'"
    again = forget(made.lake, request, None, quiet)
    assert not again.erasures
    assert [each.erasure_id for each in again.before] == [found.erasure_id]
    assert not files_with(made.lake.root.local_path / "erasures", {word.encode()})


def test_the_report_escapes_what_it_shows(made: Made) -> None:
    found = forget(made.lake, Request((made.ids["u1"],)), "<script>alert(1)</script>", quiet).erasures[0]
    page = (made.lake.root.local_path / found.done["report"]).read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert made.ids["u1"] in page


@pytest.mark.parametrize(
    "condition",
    [
        "text ~~~ 3",
        "1 = 1) UNION ALL SELECT text FROM t WHERE (1 = 1",
        "true; DROP TABLE t",
        "doc_id IN (SELECT x FROM nowhere)",
    ],
)
def test_a_condition_that_is_none_is_refused(made: Made, condition: str) -> None:
    before = state(made.lake.root.local_path)
    with pytest.raises(InputError, match=r"condition|queried"):
        forget(made.lake, Request(where=condition), None, quiet)
    assert state(made.lake.root.local_path) == before


def test_the_command_names_an_unknown_id_and_knows_a_forgotten_one(made: Made) -> None:
    lake = made.lake.location
    told = ringlake("forget", "--lake", lake, "u1", "nobody", "--source-id", code=3)
    assert "source_id 'nobody'" in told.stderr
    assert len(rows(made.lake, "documents", 1)) == 10
    done = json.loads(ringlake("forget", "--lake", lake, "u1", "--source-id", "--json").stdout)
    assert [each["doc_id"] for each in done["erasures"][0]["documents"]] == [made.ids["u1"]]
    again = json.loads(ringlake("forget", "--lake", lake, "u1", "--source-id", "--json").stdout)
    assert again["already_forgotten"] == [done["erasures"][0]["erasure_id"]]
    told = ringlake("trace", "--lake", lake, "--document", made.ids["u1"], code=3)
    assert "was forgotten by erasure" in told.stderr
