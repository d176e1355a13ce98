"""The suite in two processes is the whole suite, and fails if one of them does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.__main__ import FIRST, ROOT, halves, run_side_by_side


def test_each_folder_is_in_one_half() -> None:
    first, second = halves()
    assert first == list(FIRST)
    assert all((ROOT / folder).is_dir() for folder in FIRST)
    assert second == ["tests", *(f"--ignore={folder}" for folder in FIRST)]


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((3, 0), 3), ((0, 4), 4), ((3, 4), 3)])
def test_both_are_shown_and_a_failure_of_either_counts(
    codes: tuple[int, int], expected: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Each waits until the other runs: they do so at the same time.
    program = "import pathlib,sys,time\nown, other, code = sys.argv[1:]\npathlib.Path(own).touch()\n"
    program += "while not pathlib.Path(other).exists(): time.sleep(0.01)\nprint('half', own[-1])\n"
    program += "sys.exit(int(code))"
    files = [str(tmp_path / name) for name in ("a", "b")]
    commands = [
        [sys.executable, "-c", program, own, other, str(code)]
        for own, other, code in zip(files, files[::-1], codes, strict=True)
    ]
    assert run_side_by_side(commands) == expected
    assert capfd.readouterr().out.splitlines()[-1] == "half b"
