"""What the tables' logs say: versions, row counts, sizes, active files. Needs no Spark and no JVM."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from pipelines.errors import InputError
from pipelines.lake.paths import Lake
from pipelines.lake.unreadable import in_one_line, told_of, unreadable
from schemas import TABLES
from training.data.snapshot import DataFile


@dataclass(frozen=True)
class TableInfo:
    """A table at one version.

    Attributes:
        name: Name of the table.
        version: Its version.
        rows: Rows of that version, from the log.
        bytes: Size of its active files.
        metadata: What the writer stored with the commit (stage, run key, input versions, ...).
    """

    name: str
    version: int
    rows: int
    bytes: int
    metadata: dict[str, Any]


class Catalog:
    """The tables of a lake, by their Delta logs."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def names(self) -> list[str]:
        """Names of the tables that exist, in the order of the data flow, unknown ones last."""
        found = {name for name in self._lake.tables.names() if self.exists(name)}
        known = [name for name in TABLES if name in found]
        return known + sorted(found - set(known))

    def exists(self, name: str) -> bool:
        """Whether there is a table of that name.

        Raises:
            EnvironmentProblem: Its folder may not be looked into, or its file system failed.
            InputError: A file lies where its folder should be.
        """
        with told_of(self._lake, name):
            return DeltaTable.is_deltatable(self._lake.table(name))

    def version(self, name: str) -> int | None:
        """The current version, None if there is no such table."""
        return self._open(name).version() if self.exists(name) else None

    def info(self, name: str, version: int | None = None) -> TableInfo:
        """A table at a version (None: the current one); InputError if there is no such table or version."""
        with told_of(self._lake, name):
            table = self._open(name, version)
            actions = pa.table(table.get_add_actions(flatten=True))
            return TableInfo(
                name=name,
                version=table.version(),
                rows=sum(actions.column("num_records").to_pylist()),
                bytes=sum(actions.column("size_bytes").to_pylist()),
                metadata=self._metadata(name, table.version()),
            )

    def active_files(self, name: str, version: int, partition: dict[str, str]) -> tuple[DataFile, ...]:
        """Active files of one partition at one version, with their row counts.

        A folder listing would also show files that an overwrite has removed; the log does not.
        """
        table = self._open(name, version)
        if self.deletion_vectors(name, version):
            raise InputError(
                f"table {name} version {version} has deletion vectors, which the reader of training cannot "
                f"apply; rewrite it first (REORG TABLE ... APPLY (PURGE))"
            )
        actions = pa.table(table.get_add_actions(flatten=True))
        for key, value in partition.items():
            actions = actions.filter(pc.equal(actions.column(f"partition.{key}"), value))
        # Only these two columns: the others, least and greatest values, are many times as long.
        paths, counts = (actions.column(column).to_pylist() for column in ("path", "num_records"))
        root = self._lake.table(name)
        return tuple(
            DataFile(path=f"{root}/{path}", num_rows=count) for path, count in zip(paths, counts, strict=True)
        )

    def table_id(self, name: str) -> str:
        """What the log calls the table: another one where a table was deleted and made again."""
        return str(self._open(name).metadata().id)

    def commits(self, name: str) -> list[tuple[int, str, dict[str, Any]]]:
        """Version, operation and writer's metadata of each commit of a table, newest first.

        The metadata is empty where it is not ours, that is no JSON object.
        """
        return [
            (
                int(commit["version"]),
                str(commit.get("operation", "unknown")),
                parse_metadata(commit.get("userMetadata")),
            )
            for commit in self._open(name).history()
        ]

    def commits_naming(self, name: str, key: str) -> dict[str, int]:
        """Version of each commit of a table whose log entry has a text under a key, by that text."""
        return {
            commit[key]: int(commit["version"])
            for commit in self._open(name).history()
            if isinstance(commit.get(key), str)
        }

    def active_paths(self, name: str, version: int) -> set[str]:
        """Active files of a version, relative to the table's folder."""
        actions = pa.table(self._open(name, version).get_add_actions(flatten=True))
        return set(actions.column("path").to_pylist())

    def deletion_vectors(self, name: str, version: int) -> int:
        """Files of a version with deletion vectors: rows in them are deleted but still lie there."""
        return int(self._open(name, version).deletion_vectors().read_all().num_rows)

    def files_and_vectors(self, name: str, version: int) -> tuple[list[str], int]:
        """Paths of the active files of a version, and how many of them have deletion vectors."""
        table = self._open(name, version)
        paths = pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()
        root = self._lake.table(name)
        return [f"{root}/{path}" for path in paths], int(table.deletion_vectors().read_all().num_rows)

    def delta_table(self, name: str, version: int | None = None) -> DeltaTable:
        """The table itself, for queries without Spark (`ringlake show`)."""
        return self._open(name, version)

    def _open(self, name: str, version: int | None = None) -> DeltaTable:
        path = self._lake.table(name)
        try:
            return DeltaTable(path, version=version)
        except TableNotFoundError:
            known = ", ".join(self.names()) or "none yet"
            raise InputError(
                f"there is no table {name!r} in the lake {self._lake.location}; its tables: {known}"
            ) from None
        except DeltaError as error:
            if version is None:
                raise unreadable(self._lake, name, error) from error
            raise InputError(
                f"table {name!r} of the lake {self._lake.location} cannot be opened"
                f" at version {version}: {in_one_line(error)}"
            ) from None
        except OSError as error:
            raise unreadable(self._lake, name, error) from error

    def _metadata(self, name: str, version: int) -> dict[str, Any]:
        # Asked of the current version: the history of a table opened at an old one is numbered wrongly.
        return next((metadata for number, _, metadata in self.commits(name) if number == version), {})


def parse_metadata(text: str | None) -> dict[str, Any]:
    """What a commit's writer noted, a JSON object; empty if that is none."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
