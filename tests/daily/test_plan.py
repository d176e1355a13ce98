"""Which files a batch reads: rules for new, late, replaced, deleted, touched and unreadable ones."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conf import load
from conf.ingest import IngestConfig
from pipelines.console.console import Console
from pipelines.daily.consent import check_possible, check_same, noted
from pipelines.daily.plan import DayPlan, Known, make_plan, of_day
from pipelines.daily.run import Daily, run_daily
from pipelines.errors import InputError
from pipelines.ingest.discover import discover


def plan_of(
    folder: Path, known: dict[str, Known], before: datetime | None = None, day: str | None = None
) -> DayPlan:
    files = discover(IngestConfig(inputs=(str(folder),)))
    return make_plan(files, known, 3, before, day)


def known_after(plan: DayPlan, known: dict[str, Known]) -> dict[str, Known]:
    """What `sources` says once a batch is in the lake."""
    read = {
        item.file.source: Known(
            item.file.source, item.file.num_bytes, item.change, item.checksum, item.file.version
        )
        for item in plan.changed
    }
    gone = {source: Known(source, 0, "deleted", None, None) for source in plan.deleted}
    return known | read | gone


def changes(plan: DayPlan) -> dict[str, str]:
    return {item.file.source: item.change for item in plan.changed} | dict.fromkeys(plan.deleted, "deleted")


def test_each_file_has_its_rule(tmp_path: Path) -> None:
    for name in ("kept", "touched", "replaced", "deleted", "same-size"):
        (tmp_path / f"{name}.txt").write_text(f"{name}\n")
    first = plan_of(tmp_path, {})
    assert set(changes(first).values()) == {"new"}
    known = known_after(first, {})
    assert changes(plan_of(tmp_path, known)) == {}

    (tmp_path / "replaced.txt").write_text("something else\n")
    (tmp_path / "deleted.txt").unlink()
    (tmp_path / "same-size.txt").write_text("same-SIZE\n")
    for name in ("touched", "same-size"):
        os.utime(tmp_path / f"{name}.txt", (2e9, 2e9))
    (tmp_path / "new.txt").write_text("new\n")
    (tmp_path / "late.txt").write_text("late\n")
    os.utime(tmp_path / "late.txt", (1e9, 1e9))
    before = datetime.now(UTC) - timedelta(hours=1)
    second = plan_of(tmp_path, known, before)
    assert changes(second) == {
        "late.txt": "late",
        "new.txt": "new",
        "replaced.txt": "replaced",
        "same-size.txt": "replaced",
        "deleted.txt": "deleted",
    }
    assert second.away == ["deleted.txt", "replaced.txt", "same-size.txt"]
    known = known_after(second, known)
    assert changes(plan_of(tmp_path, known)) == {}
    (tmp_path / "deleted.txt").write_text("deleted\n")
    assert changes(plan_of(tmp_path, known)) == {"deleted.txt": "new"}


def test_what_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "link.txt").symlink_to(tmp_path / "later")
    first = plan_of(tmp_path, {})
    assert [item.checksum is None for item in first.changed] == [False, True]
    known = known_after(first, {})
    assert changes(plan_of(tmp_path, known)) == {}, "it still cannot be read"
    (tmp_path / "later").write_text("there now\n")
    assert changes(plan_of(tmp_path, known))["link.txt"] == "replaced"


def test_a_date_chooses_files_by_name_or_folder(tmp_path: Path) -> None:
    names = ["2026-11-27/a.txt", "2026/11/27/b.txt", "c-20261127.txt", "2026-11-28/d.txt", "120261127.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert sorted(changes(plan_of(tmp_path, {}, day="2026-11-27"))) == sorted(names[:3])
    known = known_after(plan_of(tmp_path, {}), {})
    for name in (names[0], names[3]):
        (tmp_path / name).unlink()
    assert changes(plan_of(tmp_path, known, day="2026-11-28")) == {names[3]: "deleted"}
    assert not of_day("2026-11-27")("2026-11.27")
    for day in ("27.11.2026", "2026-13-01", "20261127"):
        with pytest.raises(InputError, match="is no date"):
            Daily(day)


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    name = os.fsdecode(b"no-utf8-\xff.txt")
    (tmp_path / name).write_text("x\n")
    plan = plan_of(tmp_path, {"gone": Known("gone", 1, "new", "0", "0")})
    assert DayPlan.from_json(plan.to_json()) == plan
    later = plan_of(tmp_path, {"gone": Known("gone", 1, "new", "0", "0")})
    assert plan.same_as(later) and plan != later
    (tmp_path / name).write_text("y\n")
    assert not plan.same_as(plan_of(tmp_path, {}))


def test_changes_of_the_configuration_need_consent() -> None:
    first = load(None, ["ingest.inputs=[a]"])
    last = {"batch": "000004", **noted(first)}
    assert check_same(first, last, False) == []
    assert check_same(load(None, ["ingest.inputs=[a]", "train.steps=7"]), last, False) == []
    assert check_same(load(None, ["ingest.inputs=[a]", "ingest.max_quarantined_share=1"]), last, False) == []
    other = load(None, ["ingest.inputs=[b]"])
    with pytest.raises(InputError, match=r'ingest\.inputs: \["a"\] in batch 000004, \["b"\] now'):
        check_same(other, last, False)
    assert check_same(other, last, True) == ['ingest.inputs: ["a"] in batch 000004, ["b"] now']
    for fixed in ("dedup.ngram=3", "tokenize.vocab_size=300", "pack.sequence_length=64"):
        with pytest.raises(InputError, match="cannot change within a lake"):
            check_same(load(None, ["ingest.inputs=[a]", fixed]), last, True)
    secret = load(None, ["ingest.inputs=[s3://user:one@bucket/a]"])
    last = {"batch": "000004", **noted(secret)}
    assert "one@" not in last["config"]
    with pytest.raises(InputError, match="a secret in an address is another one"):
        check_same(load(None, ["ingest.inputs=[s3://user:two@bucket/a]"]), last, False)


@pytest.mark.parametrize(
    "setting",
    ["repeats.unit=line", "mix.groups=[{name: all}]", "dedup.history=h", "dedup.verify_threshold=0.5"],
)
def test_what_looks_at_the_whole_corpus_is_refused(setting: str) -> None:
    with pytest.raises(InputError, match=setting.split("=", maxsplit=1)[0]):
        check_possible(load(None, [setting]))
    check_possible(load(None))


def test_a_stage_that_is_none_is_told_before_a_batch_is_made(tmp_path: Path) -> None:
    config = load(overrides=[f"lake={tmp_path / 'lake'}"])
    with pytest.raises(InputError, match="there is no stage 'packs'; the stages are ingest, "):
        run_daily(config, Console(), Daily(), until="packs")
    assert not (tmp_path / "lake").exists()
