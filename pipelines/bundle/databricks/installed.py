"""Whether a machine of a cluster has what ringlake needs, asked before Spark starts there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WITHOUT_METADATA = frozenset({"delta-spark", "pyspark"})
"""Of the runtime, but no distributions that Python knows of."""


def lacking(requirements: Iterable[str]) -> list[str]:
    """Of requirements those that are not met here, in words.

    Args:
        requirements: As the metadata of a distribution has them; those of extras do not count.
    """
    found = []
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name in WITHOUT_METADATA or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"{name}{requirement.specifier} (not installed)")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{name}{requirement.specifier} (installed: {version})")
    return found


def main() -> None:
    """Ends with exit code 1 and a line if something is lacking."""
    found = lacking(metadata.requires("ringlake") or ())
    if found:
        sys.exit(f"ringlake: this cluster lacks {', '.join(found)}; add the wheels to the volume")
