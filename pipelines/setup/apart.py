"""Packages that are installed without what they ask for, since a platform's own versions must stay.

- Petastorm asks for a second pyspark and for setuptools below 70; ringlake imports the parts that stream row
  groups (`training.data.petastorm_compat`), which need neither.
- icu4py asks for a newer typing-extensions, which only its stubs for type checkers import.

What they do need at run time is among ringlake's own requirements. The extras `petastorm` and `icu` install
the same with all that they ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.setup.errors import SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target
from pipelines.setup.venv import Installer

VERSIONS: Mapping[str, str] = {"petastorm": "0.13.1", "icu4py": "1.2.0"}


def missing(target: Target) -> list[str]:
    """Return which of them the environment lacks, as `name==version`; another version is not touched."""
    return [f"{name}=={version}" for name, version in VERSIONS.items() if target.version(name) is None]


def ensure(target: Target, installer: Installer, progress: Progress) -> None:
    """Install those that are not there.

    Raises:
        CommandError: They could not be installed.
    """
    if wanted := missing(target):
        progress.line(f"installing {' and '.join(wanted)} without what they ask for")
        installer.install(["--no-deps", *wanted], label="installing packages")


def put_wheels(target: Target, folder: Path, log: Path, progress: Progress) -> None:
    """Put their wheels for the environment's Python into a folder.

    Raises:
        CommandError: They could not be fetched.
        SetupError: The folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{folder} cannot be made ({error.strerror}): name another folder") from error
    wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
    pip = [str(target.python), "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    options = ["--only-binary", ":all:", "--dest", str(folder), *wanted]
    progress.run([*pip, *options], label=f"fetching the wheels of {' and '.join(wanted)}", log=log)
