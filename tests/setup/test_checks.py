"""What the machine lacks is named at once, one line a thing, with a remedy for both systems."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.setup import checks
from pipelines.setup.errors import MissingToolsError

ROOT = Path(__file__).resolve().parents[2]

JAVA_OUTPUTS = [
    ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian)', 17),
    ('openjdk version "21" 2023-09-19\nOpenJDK Runtime Environment (build 21+35)', 21),
    ('openjdk version "21.0.7" 2025-04-15 LTS\nOpenJDK Runtime Environment Zulu21.42', 21),
    ('openjdk version "11.0.27" 2025-04-15', 11),
    ('java version "1.8.0_392"\nJava(TM) SE Runtime Environment (build 1.8.0_392-b08)', 8),
    ('openjdk version "22-ea" 2024-03-19', 22),
    ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.2" 2022-01-18', 17),
    ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "major"), JAVA_OUTPUTS)
def test_the_major_version_is_read_from_what_javas_say(text: str, major: int | None) -> None:
    assert checks.java_major(text) == major


def test_an_empty_path_names_every_tool_in_a_line_with_both_remedies(tmp_path: Path) -> None:
    with pytest.raises(MissingToolsError) as raised:
        checks.require(tmp_path, tmp_path, new_venv=False, env={"PATH": ""})
    assert raised.value.exit_code == 4
    lines = str(raised.value).splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == ["Java 17 or 21", "a C++ compiler", "make"]
    assert "[Debian/Ubuntu: apt-get install openjdk-17-jre-headless]" in lines[0]
    assert "[macOS: brew install openjdk@17]" in lines[0]
    assert "apt-get install g++" in lines[1]
    assert "apt-get install make" in lines[2]
    assert all("[macOS: xcode-select --install]" in line for line in lines[1:])


def test_the_command_stops_with_status_4_before_it_makes_anything(tmp_path: Path) -> None:
    """A checkout without an environment, on a machine without tools: nothing may appear in either."""
    checkout = tmp_path / "checkout"
    (checkout / "pipelines" / "setup").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    (checkout / "pipelines" / "__init__.py").write_text("")
    for module in (ROOT / "pipelines" / "setup").glob("*.py"):
        (checkout / "pipelines" / "setup" / module.name).write_bytes(module.read_bytes())

    done = subprocess.run(
        [sys.executable, "-B", "-m", "pipelines.setup"],
        cwd=checkout,
        env={"PATH": "", "RINGLAKE_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 4
    assert all(f"\n{tool}" in done.stderr for tool in ("Java 17 or 21", "a C++ compiler", "make"))
    assert sorted(path.name for path in checkout.iterdir()) == [
        "constraints.txt",
        "pipelines",
        "pyproject.toml",
    ]
    assert not (tmp_path / "cache").exists()


def make_java(folder: Path, says: str) -> Path:
    """Write a program that answers as a Java of that version would."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize("version", ["17.0.15", "21.0.2"])
def test_java_home_counts_before_path(version: str, tmp_path: Path) -> None:
    good = make_java(tmp_path / "good", f'openjdk version "{version}"')
    old = make_java(tmp_path / "old", 'openjdk version "11.0.27"')
    assert checks.check_java({"JAVA_HOME": str(good), "PATH": f"{old}/bin"}) is None
    missing = checks.check_java({"JAVA_HOME": str(old), "PATH": f"{good}/bin"})
    assert missing is not None
    assert "is Java 11" in missing.line()
    assert str(old) in missing.line()
    assert checks.check_java({"PATH": f"{good}/bin"}) is None


def test_a_java_home_without_java_is_named(tmp_path: Path) -> None:
    missing = checks.check_java({"JAVA_HOME": str(tmp_path / "gone"), "PATH": os.environ["PATH"]})
    assert missing is not None
    assert f"JAVA_HOME={tmp_path / 'gone'}" in missing.line()


@pytest.mark.parametrize(
    ("version", "fits"), [((3, 10, 9), False), ((3, 11, 0), True), ((3, 12, 9), True), ((3, 13, 0), False)]
)
def test_the_python_versions_that_fit(version: tuple[int, int, int], fits: bool) -> None:
    assert (checks.check_python(version) is None) is fits


def test_too_little_space_is_told_once_for_each_file_system(tmp_path: Path) -> None:
    assert checks.check_disk([tmp_path, tmp_path / "not" / "there"], 0.0) == []
    missing = checks.check_disk([tmp_path, tmp_path / "not" / "there"], 1e9)
    assert len(missing) == 1
    assert "1000000000 GB of free disk" in missing[0].line()
    assert str(tmp_path) in missing[0].line()


def test_the_compiler_that_cxx_names_is_the_one_looked_for() -> None:
    missing = checks.check_compiler({"CXX": "no-such-compiler -O2", "PATH": os.environ["PATH"]})
    assert missing is not None
    assert "no-such-compiler on PATH" in missing.line()
