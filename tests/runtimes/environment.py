"""An environment with a cluster's versions, in the user's cache: made once for what it follows from.

It is of the Python that runs this. The runtime's own is 3.12, its Java 21: where both are of another version
here, what runs is the pins.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from pipelines.setup import apart, cache, horovod, jars
from pipelines.setup.locks import locked
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target
from pipelines.setup.venv import Installer, make_venv

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_name("databricks-18-lts-ml.txt")
STAMP = "ringlake-runtime"
"""Is there when the packages are complete."""

SPARK = ("pyspark==4.1.0", "delta-spark>=4.3,<4.4")
"""The platform's own, which ringlake does not ask for there."""

TOOLS = (
    *("pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6", "chispa>=0.11", "networkx>=3"),
    *("nbclient>=0.10", "nbformat>=5.10", "ipykernel>=6"),
    # Horovod is compiled with the environment's own.
    *("setuptools", "wheel"),
)


def requirements() -> list[str]:
    """What a cluster asks for, Spark, and the tools of the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["tracking"], *SPARK, *TOOLS]


def make_environment(progress: Progress) -> Target:
    """The environment, made unless it is there: packages, those installed apart, Horovod, jars.

    Raises:
        SetupError: A step failed.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    inputs = {"python": version, "pins": PINS.read_text(encoding="utf-8"), "asked": "\n".join(requirements())}
    prefix = cache.user_cache() / "runtimes" / cache.entry_name(PINS.stem, inputs)
    target = Target(
        prefix / "bin" / "python", prefix, (str(prefix / "lib" / f"python{version}" / "site-packages"),)
    )
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with locked(prefix.parent, str(prefix), progress):
        logs = prefix.parent / "logs"
        installer = Installer(target, progress, logs, None)
        if not (prefix / STAMP).is_file():
            make_venv(target, progress, logs / "venv.log")
            installer.prepare()
            arguments = ["--constraint", str(PINS), *requirements()]
            installer.install(arguments, label=f"installing the packages of {PINS.stem}")
            (prefix / STAMP).touch()
        apart.ensure(target, installer, progress)
        roots = cache.cache_roots(prefix)
        horovod.ensure(target, installer, roots, progress)
        jars.ensure(target, roots, logs, progress)
    return target


def changed(target: Target) -> dict[str, str]:
    """Packages of the runtime that the environment has in another version: name, and both versions."""
    pins = dict(line.split("==") for line in PINS.read_text(encoding="utf-8").split("\n") if "==" in line)
    found = {
        re.sub(r"[-_.]+", "-", one.name).lower(): one.version
        for one in metadata.distributions(path=list(target.search or ()))
    }
    return {
        name: f"{found[name]} instead of {version}"
        for name, version in pins.items()
        if found.get(name, version) != version
    }
