"""The libraries that ringlake is measured against, in environments of their own in the user's cache.

python -m benchmarks peers            make those that are not there yet; takes minutes the first time
python -m benchmarks peers --where    say where they are
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

from pipelines.setup.cache import user_cache
from pipelines.setup.errors import SetupError
from pipelines.setup.locks import locked
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target
from pipelines.setup.venv import Installer, make_venv

PINS = Path(__file__).with_name("environments")
"""A file of pinned versions for each environment."""

STAMP = "ringlake-peers"
"""Holds the hash of the pins that an environment was filled from."""


def environments() -> list[str]:
    """Names of the environments."""
    return sorted(file.stem for file in PINS.glob("*.txt"))


def python_of(environment: str) -> Path | None:
    """The interpreter of an environment; None if it is not there or was made from other pins."""
    prefix = _prefix(environment)
    stamp = prefix / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _fingerprint(environment):
        return None
    return prefix / "bin" / "python"


def missing(peer: str) -> str:
    """The line that stands for a peer whose environment is not there."""
    return f"{peer}: not installed; make its environment with: python -m benchmarks peers"


def make(environment: str, progress: Progress) -> None:
    """Make and fill an environment, unless it is there.

    Raises:
        SetupError: It cannot be made, or a package cannot be had.
    """
    if python_of(environment) is not None:
        progress.line(f"{environment} is there: {_prefix(environment)}")
        return
    prefix = _prefix(environment)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with locked(prefix.parent, str(prefix), progress):
        library = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        target = Target(prefix / "bin" / "python", prefix, (str(library),))
        logs = prefix.parent / "logs"
        make_venv(target, progress, logs / f"{environment}.log")
        installer = Installer(target, progress, logs, None)
        installer.prepare()
        arguments = ["--requirement", str(PINS / f"{environment}.txt")]
        installer.install(arguments, label=f"installing the peers of {environment}")
        (prefix / STAMP).write_text(_fingerprint(environment), encoding="utf-8")
    progress.line(f"{environment} is ready: {prefix}")


def main(argv: list[str]) -> int:
    """Makes the environments, or says where they are."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--where", action="store_true", help="only say where they are")
    options = parser.parse_args(argv)
    if options.where:
        for name in environments():
            state = python_of(name) or f"not there; it would be in {_prefix(name)}"
            sys.stdout.write(f"{name}: {state}\n")
        return 0
    progress = Progress()
    try:
        for name in environments():
            make(name, progress)
    except SetupError as error:
        progress.line(f"benchmarks: {error}")
        return error.exit_code
    return 0


def run(environment: str, script: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a script in an environment that is there, its output to be read.

    Nothing of the checkout is on the path of the script but its own folder.
    """
    python = python_of(environment)
    assert python is not None, environment
    return subprocess.Popen([str(python), str(script), *arguments], stdout=subprocess.PIPE, text=True)


def _prefix(environment: str) -> Path:
    return user_cache() / "peers" / environment


def _fingerprint(environment: str) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    content = (PINS / f"{environment}.txt").read_bytes()
    return f"{version} {hashlib.sha256(content).hexdigest()}"
