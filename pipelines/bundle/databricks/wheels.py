"""The folder that is copied into the volume: wheels with their hashes, and the script that installs them.

A cluster that starts downloads nothing: the list names each wheel with its SHA-256, and pip is told to look
nowhere else and to install nothing besides. So nothing that the runtime has is replaced.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from conf.errors import ConfigError
from pipelines.bundle.databricks.clusters import INIT_SCRIPT, WHEELS
from pipelines.bundle.wheel import write_wheel

REQUIREMENTS = "requirements.txt"
OF_TRAINING = ("horovod", "petastorm")
"""What training needs and no runtime has since 15.4 LTS ML."""

PYTHON = (3, 12)
"""Python of the runtime."""

OF_THE_RUNTIME = frozenset(
    {
        "databricks-connect",
        "delta-spark",
        "numpy",
        "pandas",
        "pip",
        "py4j",
        "pyarrow",
        "pyspark",
        "setuptools",
    }
    | {"torch"}
)
"""What belongs to the runtime: another version breaks Spark, Delta or what is compiled against it."""


def write_volume(folder: Path, wheels: str, say: Callable[[str], None]) -> None:
    """Write the folder anew.

    Args:
        folder: Where to.
        wheels: Folder of the wheels of others; empty: none.
        say: Takes a line.

    Raises:
        ConfigError: A wheel does not fit the runtime, or is there in two versions.
    """
    found = [] if not wheels else sorted(Path(wheels).glob("*.whl"))
    chosen = {name: path for path in found if (name := _fit(path, found)) != "ringlake"}
    place = folder / WHEELS
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for path in chosen.values():
        shutil.copyfile(path, place / path.name)
    write_wheel(place)
    lines = []
    for path in sorted(place.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    (place / REQUIREMENTS).write_text("".join(lines), encoding="utf-8")
    script = resources.files("pipelines.bundle.databricks").joinpath(INIT_SCRIPT)
    (folder / INIT_SCRIPT).write_bytes(script.read_bytes())
    if absent := [name for name in OF_TRAINING if name not in chosen]:
        say(
            f"wheels: {' and '.join(absent)} not among them, so that training would not start; "
            "docs/databricks.md says how to make them; name their folder with --wheels"
        )


def _fit(path: Path, others: list[Path]) -> str:
    """The name of a wheel's distribution; ConfigError if the wheel does not fit."""
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise ConfigError(f"--wheels: {path.name!r} is no name of a wheel; remove it") from error
    if name in OF_THE_RUNTIME:
        raise ConfigError(
            f"--wheels: {path.name} would stand in the place of the runtime's own {name}; remove it "
            "(pip download --no-deps, or with the runtime's pins as constraints)"
        )
    if not any(_runs(tag) for tag in tags):
        wanted = f"Python {PYTHON[0]}.{PYTHON[1]} on Linux x86_64"
        raise ConfigError(f"--wheels: {path.name} is not for {wanted}; fetch the one that is")
    same = [other.name for other in others if canonicalize_name(other.name.split("-")[0]) == name]
    if len(same) > 1:
        raise ConfigError(f"--wheels has {name} more than once ({', '.join(same)}); leave one, not {version}")
    return str(name)


def _runs(tag: Tag) -> bool:
    platform = tag.platform == "any" or ("linux" in tag.platform and tag.platform.endswith("x86_64"))
    minor = tag.interpreter.removeprefix(f"cp{PYTHON[0]}")
    if tag.interpreter in ("py3", f"py3{PYTHON[1]}", f"cp3{PYTHON[1]}"):
        return platform
    return platform and tag.abi == "abi3" and minor.isdigit() and int(minor) <= PYTHON[1]
