"""What the tables' logs say: versions, row counts, sizes, active files; and the tables as queries have them.

Of tables in a folder this needs no Spark and no JVM; those that have names are Spark's (`named.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from pipelines.errors import InputError
from pipelines.lake.delta_releases import count_deletion_vectors, rows_of_files
from pipelines.lake.paths import Lake
from pipelines.lake.unreadable import in_one_line, told_of, unreadable
from schemas import TABLES, Table
from training.data.snapshot import DataFile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Answer(Protocol):
    """What a query found: all of it, or batch by batch."""

    def read_all(self) -> Any:
        """All rows, as Arrow's tables can be made of."""

    def __iter__(self) -> Iterator[Any]: ...


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
    """The tables of a lake, by their Delta logs.

    `Catalog(lake)` is of the kind that the lake is of, as `Path()` is: this class is that of a folder.
    """

    through_spark: ClassVar[bool] = False
    """Whether Spark alone may read the tables' files."""

    def __new__(cls, lake: Lake) -> Catalog:
        """The catalog of a lake."""
        if lake.names is not None:
            from pipelines.lake.named import NamedCatalog

            return super().__new__(NamedCatalog)
        return super().__new__(cls)

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

    def rows(self, name: str) -> int:
        """Rows of the current version of a table; 0 if there is no such table."""
        return self.info(name).rows if self.exists(name) else 0

    def info(self, name: str, version: int | None = None) -> TableInfo:
        """A table at a version (None: the current one); InputError if there is no such table or version."""
        with told_of(self._lake, name):
            table = self._open(name, version)
            actions = pa.table(table.get_add_actions(flatten=True))
            return TableInfo(
                name=name,
                version=table.version(),
                rows=sum(rows_of_files(actions)),
                bytes=sum(actions.column("size_bytes").to_pylist()),
                metadata=self._metadata(name, table.version()),
            )

    def active_files(
        self,
        name: str,
        version: int,
        partition: dict[str, str],
        columns: Sequence[str] | None = None,
        order: str | None = None,
    ) -> tuple[DataFile, ...]:
        """Active files of one partition at one version, with their row counts.

        A folder listing would also show files that an overwrite has removed; the log does not. Of a table
        with a name, whose files belong to its catalog, they are those of a copy of the partition.

        Args:
            name: The table.
            version: Its version.
            partition: Values of partition columns.
            columns: Columns that a copy needs; None: all.
            order: Column by which the rows of a copy lie in its files.
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
        paths, counts = actions.column("path").to_pylist(), rows_of_files(actions)
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
        return count_deletion_vectors(self._open(name, version))

    def files_and_vectors(self, name: str, version: int) -> tuple[list[str], int]:
        """Paths of the active files of a version, and how many of them have deletion vectors."""
        table = self._open(name, version)
        paths = pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()
        root = self._lake.table(name)
        return [f"{root}/{path}" for path in paths], count_deletion_vectors(table)

    def transaction(self, name: str, application: str) -> int | None:
        """The newest transaction of an application in the log of a table in a folder; None: it has none."""
        return self._open(name).transaction_version(application)

    def same_rows(self, name: str, first: int, second: int) -> bool:
        """Whether two versions have the same rows, as far as their files tell: then none was rewritten."""
        return first == second or self.active_paths(name, first) == self.active_paths(name, second)

    def fields(self, name: str, version: int | None = None) -> list[tuple[str, str]]:
        """Name and type of each column; the type as Delta's logs have it, JSON where it is nested."""
        fields = self._open(name, version).schema().fields
        return [(field.name, field.type.to_json().strip('"')) for field in fields]

    def columns(self, name: str, version: int | None = None) -> list[str]:
        """Names of the columns of a table."""
        return [column for column, _ in self.fields(name, version)]

    def ask(self, sql: str, tables: Mapping[str, tuple[str, int | None]]) -> Answer:
        """The answer to a query over some tables.

        Args:
            sql: SQL; names may be in double quotes, texts in single ones.
            tables: Name and version of each table by what the query calls it; None: the current version.
        """
        builder = QueryBuilder()
        for called, (name, version) in tables.items():
            builder = builder.register(called, self._open(name, version))
        answer: Answer = builder.execute(sql)
        return answer

    def text(self, value: str) -> str:
        """A text as a query has it."""
        return "'" + value.replace("'", "''") + "'"

    def any_within(self, column: str, field: str, listed: str) -> str | None:
        """A condition on rows one of whose structs in a list has one of some values; None: not to be said."""
        return None

    def sums_of_map(self, name: str, version: int, column: str) -> dict[str, int]:
        """The sum of the values of each key of a column of maps."""
        pairs = f'SELECT unnest(map_keys("{column}")) AS k, unnest(map_values("{column}")) AS v FROM t'  # noqa: S608
        answer = self.ask(f"SELECT k, sum(v) AS total FROM ({pairs}) GROUP BY k", {"t": (name, version)})  # noqa: S608
        return {row["k"]: int(row["total"]) for row in pa.table(answer.read_all()).to_pylist()}

    def frame(self, spark: SparkSession, name: str, version: int) -> DataFrame:
        """A table at a version as a DataFrame."""
        return spark.read.format("delta").option("versionAsOf", version).load(self._lake.spark_table(name))

    def replace(self, frame: DataFrame, table: Table, noted: str, where: str | None = None) -> None:
        """Replaces the rows of a table, or those that meet a condition, in one commit.

        Args:
            frame: The rows, with the columns of the table.
            table: Its definition.
            noted: Stored with the commit.
            where: SQL condition on partition columns; None: all rows are replaced, and the schema.
        """
        whole = ("overwriteSchema", "true")
        (
            frame.write.format("delta")
            .mode("overwrite")
            .option(*(whole if where is None else ("replaceWhere", where)))
            .option("userMetadata", noted)
            .partitionBy(*table.partition_by)
            .save(self._lake.spark_table(table.name))
        )

    def add(self, table: Table, row: Mapping[str, Any], key: str, text: str) -> None:
        """Adds a row to a table whose log never expires, in one commit; the table is made if there is none.

        Args:
            table: Its definition.
            row: The row.
            key: Under it the commit has the text, see `commits_naming`.
            text: The text.
        """
        write_deltalake(
            self._lake.table(table.name),
            one_row(table, row),
            mode="append",
            # A table that an earlier release began gets the columns that have come since.
            schema_mode="merge",
            # Which row is the newest is told by the log's order, so none of it may expire.
            configuration={"delta.enableExpiredLogCleanup": "false"},
            commit_properties=CommitProperties(custom_metadata={key: text}),
        )

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


def one_row(table: Table, row: Mapping[str, Any]) -> pa.Table:
    """A row as Arrow has it; mappings become maps."""
    values = {name: list(value.items()) if isinstance(value, dict) else value for name, value in row.items()}
    return pa.Table.from_pylist([values], schema=table.arrow_schema())
