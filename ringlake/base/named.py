"""A lake whose tables have names in a catalog: `unity://CATALOG.SCHEMA/FOLDER`."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEME = "unity://"

VOLUMES = "/Volumes/"
"""Below it Unity Catalog mounts its volumes on every machine of a cluster."""

DEFAULT_VOLUME = "ringlake"
"""Volume of a schema that has the files where the lake names no folder."""

WITHOUT_VOLUMES = frozenset({"spark_catalog", "hive_metastore"})
"""Catalogs that know tables only."""

_NAME = re.compile(r"[\w-]{1,255}")


@dataclass(frozen=True)
class Names:
    """The catalog and the schema that the tables of a lake lie in.

    Attributes:
        catalog: Name of the catalog; `spark_catalog` is Spark's own.
        schema: Name of the schema.
    """

    catalog: str
    schema: str

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}"

    @property
    def quoted(self) -> str:
        """The schema as SQL has it."""
        return f"`{self.catalog}`.`{self.schema}`"

    def table(self, name: str) -> str:
        """Full name of a table as SQL has it; ValueError for what is no name."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a table: letters, digits, _ and - only")
        return f"{self.quoted}.`{name}`"


def parse_named(place: str) -> tuple[Names, str] | None:
    """Names and folder of files of such a lake; None for a path or another URL.

    Raises:
        ValueError: It begins like one, but is none; the message says how it is written.

    Example:
        >>> parse_named("unity://main.corpus/Volumes/main/corpus/files/lake")
        (Names(catalog='main', schema='corpus'), '/Volumes/main/corpus/files/lake')
        >>> parse_named("unity://main.corpus")
        (Names(catalog='main', schema='corpus'), '/Volumes/main/corpus/ringlake')
        >>> parse_named("s3://bucket/lake")
    """
    if not place.startswith(SCHEME):
        return None
    names, _, folder = place.removeprefix(SCHEME).partition("/")
    parts = names.split(".")
    if len(parts) != 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(
            f"{place!r} names no schema: a lake in a catalog is {SCHEME}CATALOG.SCHEMA/FOLDER, with letters, "
            f"digits, _ and - in names; for example {SCHEME}main.corpus/Volumes/main/corpus/files/lake"
        )
    folder = folder.strip("/")
    if not folder and parts[0] in WITHOUT_VOLUMES:
        raise ValueError(
            f"{place!r} names no folder for files, and the catalog {parts[0]} has no volumes; "
            f"write {SCHEME}{names}/FOLDER"
        )
    path = f"/{folder}" if folder else f"{VOLUMES}{parts[0]}/{parts[1]}/{DEFAULT_VOLUME}"
    if ".." in path.split("/"):
        raise ValueError(f"{place!r} has '..' in its folder; write the folder itself")
    return Names(parts[0], parts[1]), path


def parse_table(place: str) -> tuple[Names, str] | None:
    """Schema and name of a table that is given by its name; None for a path or another URL.

    Raises:
        ValueError: It begins like one, but is none.

    Example:
        >>> parse_table("unity://main.news.articles")
        (Names(catalog='main', schema='news'), 'articles')
    """
    if not place.startswith(SCHEME):
        return None
    parts = place.removeprefix(SCHEME).split(".")
    if len(parts) != 3 or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(f"{place!r} names no table: write {SCHEME}CATALOG.SCHEMA.TABLE")
    return Names(parts[0], parts[1]), parts[2]
