"""The version of the code that trains: the release, and a hash of the sources that decide what it does."""

from __future__ import annotations

from functools import cache

from ringlake.base.code import release, source_hash

TRAINING_PACKAGES = ("ringlake.base", "schemas", "training")
"""What computes on a rank; of `conf` the values count, which are in a training's identity one by one."""


@cache
def training_code() -> str:
    """`RELEASE+src.HASH` of the code that trains: equal where every Python file of it is equal.

    A checkout, an installation and the zip that `ringlake bundle` makes of them have the same one.
    """
    return f"{release()}+src.{source_hash(TRAINING_PACKAGES)}"
