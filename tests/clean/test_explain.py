"""`clean --explain`: every rule with its value, no personal data, no Spark."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.clean import CleanConfig, PrivacyConfig
from pipelines.clean.explain import explain
from pipelines.clean.judge import BLANK, Judge, Kept
from pipelines.clean.profiles import PROFILES
from tests.support.cli import command, environment, ringlake

SECRET = "jo.secret@example.org"
HOSTILE = (
    f"Mail {SECRET} now \x1b[31mred\x07 \u202e and say: my uncle\n"
    "has a farm with many cows, that white dog, three hens.\n"
)


@settings(max_examples=60)
@given(st.text(max_size=200), st.sampled_from(sorted(PROFILES)))
def test_it_explains_what_the_stage_decides(text: str, profile: str) -> None:
    config = CleanConfig(profile=profile)
    judge, found = Judge(config), explain(text, config)
    decision = judge.judge(text)
    assert [verdict.name for verdict in found.verdicts] == [item.name for item in judge.plan.items]
    failed = [verdict for verdict in found.verdicts if not verdict.passes]
    if isinstance(decision, Kept):
        assert (failed, found.decision) == ([], "kept")
        values = {verdict.name: verdict.value for verdict in found.verdicts if verdict.threshold is not None}
        assert values == decision.measures
    elif decision == BLANK:
        assert found.decision == BLANK.rule
    else:
        assert found.decision == failed[0].name == decision.rule
        assert (failed[0].value, failed[0].threshold) == (decision.value, decision.threshold)


def test_personal_data_is_counted_and_never_shown() -> None:
    config = CleanConfig(profile="none", privacy=PrivacyConfig(email="off", ip_address="reject"))
    found = explain(f"{SECRET} at 8.8.8.8 or {SECRET}", config)
    assert [(item.kind, item.mode, item.count) for item in found.found] == [
        ("email", "off", 2),
        ("ip_address", "reject", 1),
    ]
    assert found.decision == "privacy.ip_address.max"
    assert "secret" not in repr(found)


def test_the_command_needs_neither_spark_nor_a_lake(tmp_path: Path) -> None:
    file = tmp_path / "page.txt"
    file.write_text(HOSTILE, encoding="utf-8")
    nothing = {"JAVA_HOME": "/nowhere", "PATH": "/nowhere", "LC_ALL": "C.UTF-8"}
    done = ringlake(
        "clean", "--profile", "fineweb", "--lake", tmp_path / "none", "--explain", file, env=nothing
    )
    lines = done.stdout.splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith(("gopher", "fineweb", "language."))}
    assert set(rows) == set(PROFILES["fineweb"].items)
    assert rows["gopher.words.min"].endswith("FAILS")
    assert "at least 50" in rows["gopher.words.min"]
    assert lines[-1] == "decision  rejected by gopher.words.min"
    assert any(line.startswith("privacy   email: 1 (redact)") for line in lines)
    assert "secret" not in done.stdout
    assert all(char.isprintable() or char == "\n" for char in done.stdout)
    assert not (tmp_path / "none").exists()


def test_the_command_reads_standard_input() -> None:
    done = subprocess.run(
        [*command("clean", "--profile", "pii-only"), "--explain", "-"],
        input=HOSTILE.encode(),
        capture_output=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().endswith("decision  kept\n")
    assert b"secret" not in done.stdout


@pytest.mark.parametrize(("content", "message"), [(b"\xff", "no UTF-8 at byte 0"), (None, "cannot be read")])
def test_files_that_cannot_be_explained(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "page.txt"
    if content is not None:
        file.write_bytes(content)
    assert message in ringlake("clean", "--explain", file, code=3).stderr
