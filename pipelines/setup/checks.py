"""What the machine must have before anything is downloaded; all that is missing is named at once."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.setup.errors import MissingToolsError

MIN_PYTHON = (3, 11)
BELOW_PYTHON = (3, 13)
JAVA_MAJORS = (17, 21)
JAVA_TIMEOUT_S = 60
NEW_VENV_GB = 12.0
UPDATE_GB = 2.0
_GB = 1e9
_DISK_REMEDY = "free some space, or move the cache with RINGLAKE_CACHE and UV_CACHE_DIR"
_XCODE = "xcode-select --install"


@dataclass(frozen=True)
class Missing:
    """One thing the machine lacks.

    Attributes:
        what: What is needed, and what was found instead.
        debian: The command that brings it on Debian and Ubuntu.
        macos: The command that brings it on macOS.
    """

    what: str
    debian: str
    macos: str

    def line(self) -> str:
        """Return the one line a person reads."""
        return f"{self.what} [Debian/Ubuntu: {self.debian}] [macOS: {self.macos}]"


def require(checkout: Path, cache: Path, *, new_venv: bool, env: Mapping[str, str] | None = None) -> None:
    """Check the machine.

    Args:
        checkout: Where `.venv` is or will be.
        cache: The user's cache directory.
        new_venv: Whether the environment must be made, for which the most space is needed.
        env: The environment variables to judge by; this process's own when None.

    Raises:
        MissingToolsError: Something is missing; one line for each thing, with its remedies.
    """
    env = os.environ if env is None else env
    found = [
        check_python(sys.version_info[:3]),
        check_venv_module() if new_venv else None,
        check_headers(Path(sysconfig.get_paths()["include"])),
        check_java(env),
        check_compiler(env),
        check_make(env),
        *check_disk([checkout, cache], NEW_VENV_GB if new_venv else UPDATE_GB),
    ]
    missing = [one.line() for one in found if one is not None]
    if missing:
        raise MissingToolsError("this machine lacks what ringlake needs:\n" + "\n".join(missing))


def check_python(version: tuple[int, ...]) -> Missing | None:
    """Return what is missing if this Python is too old or too new."""
    if MIN_PYTHON <= version[:2] < BELOW_PYTHON:
        return None
    return Missing(
        f"Python 3.11 or 3.12: this is {'.'.join(map(str, version))} ({sys.executable})",
        "apt-get install python3.11 python3.11-venv python3.11-dev",
        "brew install python@3.11",
    )


def check_venv_module() -> Missing | None:
    """Return what is missing if this Python cannot make environments, as Debian's own at first."""
    if all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return None
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Missing(
        f"Python's venv and ensurepip modules: absent from {sys.executable}",
        f"apt-get install {python}-venv",
        f"brew install python@{python[6:]}",
    )


def check_headers(include: Path) -> Missing | None:
    """Return what is missing if Python's C headers, which Horovod compiles against, are absent."""
    if (include / "Python.h").is_file():
        return None
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Missing(
        f"Python's C headers: no Python.h in {include}",
        f"apt-get install {python}-dev",
        f"brew install python@{python[6:]}",
    )


def check_java(env: Mapping[str, str]) -> Missing | None:
    """Return what is missing if the Java that Spark would use is absent or of another version."""
    need = "Java 17 or 21"
    install = ("apt-get install openjdk-17-jre-headless", "brew install openjdk@17")
    home = env.get("JAVA_HOME")
    # Spark asks JAVA_HOME first and PATH only without it; so must this.
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=env.get("PATH", ""))
    if program is None:
        return Missing(f"{need}: no java on PATH, and JAVA_HOME is not set", *install)
    try:
        told = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        whence = f"JAVA_HOME={home}" if home else program
        return Missing(f"{need}: cannot run it ({whence}: {error})", *install)
    major = java_major(told.stderr + told.stdout)
    if major in JAVA_MAJORS:
        return None
    said = f"is Java {major}" if major else "did not tell its version"
    return Missing(f"{need}: {program} {said}; point JAVA_HOME at another if you have one", *install)


def java_major(text: str) -> int | None:
    """Return the major version from what `java -version` prints, or None.

    Args:
        text: Its output, such as `openjdk version "17.0.15" 2025-04-15` or `java version "1.8.0_392"`.
    """
    match = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if match is None:
        return None
    first, second = match.groups()
    return int(second) if first == "1" and second else int(first)


def check_compiler(env: Mapping[str, str]) -> Missing | None:
    """Return what is missing if there is no C++ compiler."""
    words = shlex.split(env.get("CXX", "")) or ["g++"]
    if shutil.which(words[0], path=env.get("PATH", "")):
        return None
    return Missing(f"a C++ compiler: no {words[0]} on PATH", "apt-get install g++", _XCODE)


def check_make(env: Mapping[str, str]) -> Missing | None:
    """Return what is missing if there is no make."""
    if shutil.which("make", path=env.get("PATH", "")):
        return None
    return Missing("make: not on PATH", "apt-get install make", _XCODE)


def check_disk(places: list[Path], need_gb: float) -> list[Missing]:
    """Return what is missing if a file system has too little space; each file system counts once.

    Args:
        places: Directories, which need not exist yet.
        need_gb: Free space needed, in units of 10^9 bytes.
    """
    missing, seen = [], set()
    for place in places:
        there = place
        while not there.exists() and there != there.parent:
            there = there.parent
        device = there.stat().st_dev
        free_gb = shutil.disk_usage(there).free / _GB
        if device not in seen and free_gb < need_gb:
            what = f"{need_gb:.0f} GB of free disk at {place}: {free_gb:.1f} GB left"
            missing.append(Missing(what, _DISK_REMEDY, _DISK_REMEDY))
        seen.add(device)
    return missing
