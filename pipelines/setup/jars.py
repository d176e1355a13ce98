"""Delta's jars: resolved once through Spark's own Ivy, kept in the cache, found without a network."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.setup import cache
from pipelines.setup.errors import MissingJarsError, SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target, checkout_root, running_target

KIND = "jars"
SCALA = "2.13"
RECIPE = 2

__all__ = [
    "MissingJarsError",
    "coordinate",
    "ensure",
    "entry",
    "fetch",
    "keep",
    "locate",
    "spark_home",
    "wanted",
]


def wanted(target: Target) -> bool:
    """Say whether the environment has a Delta of its own, whose jars are ours to bring.

    Without the extra `spark` both are the platform's, such as those of a Databricks runtime.
    """
    return target.version("delta-spark") is not None


def locate(target: Target | None = None, roots: Sequence[Path] | None = None) -> list[Path]:
    """Return the jars that Spark needs for Delta; looks at presence and size, never at the network.

    Args:
        target: The environment whose Delta and Spark versions count; the running one when None.
        roots: Cache roots to look in; the user's cache and the environment's own when None.

    Raises:
        MissingJarsError: They were never fetched, or one is gone or cut short.

    Example:
        >>> session = builder.config("spark.jars", ",".join(map(str, locate())))  # doctest: +SKIP
    """
    target = target or running_target()
    roots = roots or cache.cache_roots(target.prefix)
    name = entry(target)
    found = cache.find(roots, KIND, name)
    if found is None:
        place = roots[0] / KIND / name
        wrong = cache.damage(place, deep=False) if place.exists() else "no such directory"
        remedy = "make setup" if checkout_root() else "ringlake setup"
        raise MissingJarsError(f"{coordinate(target)} is not in {place} ({wrong}): run `{remedy}`")
    return list(found.files)


def coordinate(target: Target) -> str:
    """Return the Maven coordinate of Delta for the environment's versions.

    Raises:
        SetupError: Neither the environment nor constraints.txt names a version.
    """
    delta, spark = _version(target, "delta-spark"), _version(target, "pyspark")
    return f"io.delta:delta-spark_{'.'.join(spark.split('.')[:2])}_{SCALA}:{delta}"


def entry(target: Target) -> str:
    """Return the name of the cache entry that fits this environment."""
    inputs = {"coordinate": coordinate(target), "spark": _version(target, "pyspark"), "recipe": str(RECIPE)}
    return cache.entry_name(f"delta-{_version(target, 'delta-spark')}", inputs)


def ensure(target: Target, roots: Sequence[Path], logs: Path, progress: Progress) -> str:
    """Fetch the jars unless the cache has them.

    Args:
        target: The environment whose Spark resolves them.
        roots: Cache roots in order of preference.
        logs: Directory for the resolution's output.
        progress: Where to say what happens.

    Returns:
        The name of the cache entry.

    Raises:
        SetupError: Spark could not resolve them; the message has the end of its output.
    """
    name = entry(target)

    def build(out: Path) -> None:
        wanted = coordinate(target)
        progress.line(f"fetching {wanted} with what it depends on")
        fetch(target, [wanted], out, logs / f"jars-{name}.log", progress, label="resolving Delta's jars")
        if not any(wanted.split(":")[1] in jar.name for jar in out.iterdir()):
            names = sorted(jar.name for jar in out.iterdir())
            raise SetupError(f"Spark resolved {names}, none of them {wanted} (log: {logs})")
        own = {_artifact(jar.name) for jar in spark_home(target).glob("jars/*.jar")}
        for jar in list(out.iterdir()):
            # Ivy names files group_artifact-version.jar. What Spark has itself comes first on its class path
            # anyway: sending 60 MB of Hadoop, Parquet and Jackson to every executor would serve nothing.
            if _artifact(jar.name.split("_", 1)[-1]) in own:
                jar.unlink()

    keep(roots, name, build, progress, "Delta's jars")
    return name


def keep(
    roots: Sequence[Path], name: str, build: Callable[[Path], None], progress: Progress, what: str
) -> None:
    """Have jars made unless the cache has them, and say how many there are.

    Args:
        roots: Cache roots in order of preference.
        name: The name of the cache entry.
        build: Puts the jars into the folder that it is given.
        progress: Where to say what happens.
        what: What they are called there.

    Raises:
        SetupError: They could not be made.
    """
    made = cache.obtain(roots, KIND, name, build, progress)
    size = sum(file.stat().st_size for file in made.files)
    progress.line(f"{what} are there: {len(made.files)} files, {size / 1e6:.1f} MB")


def fetch(
    target: Target, coordinates: Sequence[str], out: Path, log: Path, progress: Progress, *, label: str
) -> None:
    """Have spark-submit resolve Maven coordinates for a program that does nothing, and copy the jars.

    Args:
        target: The environment whose Spark resolves them.
        coordinates: `group:artifact:version` each; what they depend on comes along.
        out: Directory that takes the jars.
        log: File for the resolution's output.
        progress: Where to say what happens.
        label: What it says.

    Raises:
        SetupError: They could not be resolved; the message has the end of the output.
    """
    home = spark_home(target)
    with tempfile.TemporaryDirectory(prefix="ringlake-jars-") as scratch:
        program = Path(scratch) / "nothing.py"
        program.write_text("")
        env = os.environ | {
            "SPARK_HOME": str(home),
            "PYSPARK_PYTHON": str(target.python),
            "PYSPARK_DRIVER_PYTHON": str(target.python),
        }
        options = ["--master", "local[1]", "--packages", ",".join(coordinates)]
        options += ["--conf", f"spark.jars.ivy={scratch}/ivy"]
        progress.run(
            [str(home / "bin" / "spark-submit"), *options, str(program)],
            label=label,
            telling="^found ",
            log=log,
            env=env,
            cwd=Path(scratch),
        )
        for jar in sorted((Path(scratch) / "ivy" / "jars").glob("*.jar")):
            shutil.copyfile(jar, out / jar.name)


def spark_home(target: Target) -> Path:
    """Return the folder of the environment's Spark; SetupError if there is none."""
    home = target.locate("pyspark", "pyspark")
    if home is None:
        raise SetupError(f"pyspark is not installed in {target.prefix}: set up again")
    return home


def _artifact(jar: str) -> str:
    """Return a jar's name without its version."""
    return re.sub(r"-\d.*$", "", jar)


def _version(target: Target, name: str) -> str:
    """Return the installed version; before anything is installed, the one that will be."""
    installed = target.version(name)
    if installed is not None:
        return installed
    root = checkout_root()
    text = "" if root is None else (root / "constraints.txt").read_text()
    pin = re.search(rf"^{re.escape(name)}==([^\s;]+)", text, re.MULTILINE)
    if pin is None:
        raise MissingJarsError(
            f"{name} is not installed in {target.prefix}, and no platform has started Spark here: "
            "pip install 'ringlake[spark]'"
        )
    return pin.group(1)
