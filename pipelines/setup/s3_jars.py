"""Hadoop's client of S3 for a local Spark: fetched on wish, for it is ten times all other jars of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.setup import cache, jars
from pipelines.setup.errors import MissingJarsError, SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target, checkout_root, running_target

RECIPE = 1


def coordinate(target: Target) -> str:
    """The Maven coordinate of the client that belongs to the Hadoop of the environment's Spark.

    Raises:
        SetupError: There is no Spark, or it has no Hadoop of its own.
    """
    home = jars.spark_home(target)
    found = sorted((home / "jars").glob("hadoop-client-api-*.jar"))
    if not found:
        raise SetupError(f"{home} has no hadoop-client-api: this Spark goes by the Hadoop of its platform")
    return f"org.apache.hadoop:hadoop-aws:{found[-1].stem.removeprefix('hadoop-client-api-')}"


def entry(target: Target) -> str:
    """The name of the cache entry that fits this environment."""
    return cache.entry_name("s3a", {"coordinate": coordinate(target), "recipe": str(RECIPE)})


def ensure(target: Target, roots: Sequence[Path], logs: Path, progress: Progress) -> str:
    """Fetch the client and the AWS SDK unless the cache has them; about 650 MB.

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
    name, wanted = entry(target), coordinate(target)

    def build(out: Path) -> None:
        progress.line(f"fetching {wanted} with the AWS SDK, about 650 MB")
        jars.fetch(target, [wanted], out, logs / f"jars-{name}.log", progress, label="resolving S3's jars")

    jars.keep(roots, name, build, progress, "S3's jars")
    return name


def locate(target: Target | None = None, roots: Sequence[Path] | None = None) -> list[Path]:
    """The jars that a local Spark needs for S3; looks at presence and size, never at the network.

    Args:
        target: The environment whose Spark counts; the running one when None.
        roots: Cache roots to look in; the user's cache and the environment's own when None.

    Raises:
        MissingJarsError: They were never fetched, or one is gone or cut short.
    """
    target = target or running_target()
    roots = roots or cache.cache_roots(target.prefix)
    found = cache.find(roots, jars.KIND, entry(target))
    if found is None:
        remedy = "ringlake setup --s3" if checkout_root() is None else ".venv/bin/ringlake setup --s3"
        raise MissingJarsError(f"Spark has no client of S3 ({coordinate(target)}): run `{remedy}`, once")
    return list(found.files)
