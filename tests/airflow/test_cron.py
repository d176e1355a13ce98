"""The cron line, its script and the systemd units of docs/airflow.md, tried as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = blocks((ROOT / "docs" / "airflow.md").read_text(encoding="utf-8"))
FILES = {block.name: block.text for block in BLOCKS if block.name}
(CRON,) = (block.text.strip() for block in BLOCKS if block.kind == "cron")

COMMAND = "/opt/ringlake/bin/ringlake"

PROGRAM = """#!/bin/sh
echo "$@" >> {folder}/calls
code=$(sed -n 1p {folder}/codes)
sed -i 1d {folder}/codes
[ ! -p {folder}/gate ] || cat {folder}/gate
exit ${{code:-0}}
"""
"""In place of ringlake: notes its arguments, waits where there is a gate, ends with the next exit code."""


def place(folder: Path, codes: list[int]) -> None:
    """The files of the page in a folder, with a stand-in for ringlake that has these exit codes in turn."""
    (folder / "codes").write_text("".join(f"{code}\n" for code in codes))
    program = folder / "program"
    program.write_text(PROGRAM.format(folder=folder))
    program.chmod(0o755)
    for name, text in FILES.items():
        (folder / name).write_text(text.replace(COMMAND, str(program)).replace("/srv/ringlake", str(folder)))


def nightly(folder: Path) -> int:
    env = os.environ | {"RINGLAKE_WAIT": "0"}
    return subprocess.run(
        ["sh", "nightly.sh", "run", "a b.yaml"], cwd=folder, env=env, check=False
    ).returncode


@pytest.mark.parametrize(
    ("codes", "told", "calls"),
    [
        ([0], 0, 1),
        ([5, 4, 0], 0, 3),
        ([130, 137, 143, 0], 143, 3),
        *(([code, 0], code, 1) for code in (1, 2, 3, 6, 7)),
    ],
)
def test_the_script_tries_again_what_may_pass(
    tmp_path: Path, codes: list[int], told: int, calls: int
) -> None:
    place(tmp_path, codes)
    assert nightly(tmp_path) == told
    assert (tmp_path / "calls").read_text().splitlines() == ["run a b.yaml"] * calls


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no flock")
def test_a_second_cron_line_finds_the_first_running(tmp_path: Path) -> None:
    place(tmp_path, [7])
    os.mkfifo(tmp_path / "gate")
    line = CRON.split(maxsplit=5)[5].replace("/srv/ringlake", str(tmp_path))
    with subprocess.Popen(["sh", "-c", line]) as first:
        with (tmp_path / "gate").open("w"):  # opened when the first one reads it
            second = subprocess.run(["sh", "-c", line], check=False)
            assert (second.returncode, first.poll()) == (75, None)
        assert first.wait(60) == 7
    assert (tmp_path / "calls").read_text() == f"run run.yaml --set lake={tmp_path}/lake\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for name in ("ringlake.service", "ringlake.timer"):
        text = FILES[name].replace(COMMAND, sys.executable).replace("/srv/ringlake", str(tmp_path))
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in ("ringlake.service", "ringlake.timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "ringlake" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_the_units_start_again_where_a_retry_helps() -> None:
    (prevented,) = (
        line.partition("=")[2].split()
        for line in FILES["ringlake.service"].splitlines()
        if line.startswith("RestartPreventExitStatus=")
    )
    assert prevented == ["1", "2", "3", "6", "7"]
