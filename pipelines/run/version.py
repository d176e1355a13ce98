"""The version of the code that made something: the release, and a hash of all sources."""

from __future__ import annotations

from functools import cache

from ringlake.base.code import release, source_hash

PACKAGES = ("conf", "pipelines", "ringlake", "schemas", "training")


@cache
def code_version() -> str:
    """`RELEASE+src.HASH`: equal where every Python file and page of ringlake is equal.

    A checkout, an installation and the zip that `ringlake bundle` makes of them have the same one.
    """
    return f"{release()}+src.{source_hash(PACKAGES)}"
