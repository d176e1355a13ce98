"""Tables that have names in a catalog, through Spark: nobody else may read their files.

An existing table is never dropped, made anew or replaced by another: rows are overwritten and appended, so
that grants, tags, comments and history stay. What is read is read at a version that is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.errors import EnvironmentProblem, InputError, RinglakeError
from pipelines.lake.catalog import Answer, Catalog, TableInfo, one_row, parse_metadata
from pipelines.lake.copies import Copies
from pipelines.lake.named_session import LOCK, asking, at_version, session, stored_bytes
from pipelines.lake.spark_answer import SparkAnswer
from pipelines.lake.tables import with_settings
from pipelines.lake.unreadable import in_one_line, unreadable
from ringlake.base.named import Names
from schemas import TABLES, Table
from training.data.snapshot import DataFile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

_KEEPS_ROWS = frozenset(
    {"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "CLUSTER BY"}
    | {"CHANGE COLUMN", "COMPUTE STATS", "UPGRADE PROTOCOL", "ADD CONSTRAINT", "DROP CONSTRAINT", "REORG"}
)
"""Operations after which a table has the rows that it had; a catalog does some of its own accord."""

_VERSION = re.compile(r"version", re.IGNORECASE)

_NOTED = "spark.databricks.delta.commitInfo.userMetadata"
"""Setting of a session: what its commits note."""


class NamedCatalog(Catalog):
    """The tables of a lake by their names."""

    through_spark: ClassVar[bool] = True

    def names(self) -> list[str]:
        """Names of the tables of ours that exist; what else the schema has is not ours to show."""
        from pipelines.added import every_table

        with self._told("its tables"):
            rows = asking().sql(f"SHOW TABLES IN {self._names.quoted}").collect()
        found = {str(row["tableName"]) for row in rows}
        known = [name for name in TABLES if name in found]
        return known + sorted(name for name in every_table() if name in found and name not in TABLES)

    def exists(self, name: str) -> bool:
        """Whether there is a table of that name."""
        with self._told(name):
            return asking().catalog.tableExists(self._names.table(name))

    def version(self, name: str) -> int | None:
        """The current version, None if there is no such table."""
        return int(self._history(name, newest=True)[0]["version"]) if self.exists(name) else None

    def info(self, name: str, version: int | None = None) -> TableInfo:
        """A table at a version (None: the current one); InputError if there is no such table or version."""
        self._require(name)
        history = self._history(name)
        number = int(history[0]["version"]) if version is None else version
        with self._told(name, number):
            frame = self._at(asking(), name, number)
            return TableInfo(
                name=name,
                version=number,
                rows=frame.count(),
                bytes=stored_bytes(frame),
                metadata=next(
                    (parse_metadata(row["userMetadata"]) for row in history if row["version"] == number), {}
                ),
            )

    def active_files(
        self,
        name: str,
        version: int,
        partition: dict[str, str],
        columns: Sequence[str] | None = None,
        order: str | None = None,
    ) -> tuple[DataFile, ...]:
        """Files of a copy of one partition at one version, made where there is none; see `copies.py`."""
        copies = Copies(self._lake.root)
        copy = copies.name(name, self.table_id(name), version, partition)
        if (found := copies.find(copy)) is not None:
            return found
        noted = self.info(name, version).metadata
        with self._told(name, version):
            spark = session()
            frame = self._at(spark, name, version)
            for column, value in partition.items():
                frame = frame.where(frame[column] == value)
            frame = frame if columns is None else frame.select(*columns)
            spark.sparkContext.setJobDescription(f"copy {name} version {version} to the lake's files")
            return copies.make(copy, frame, order, noted)

    def table_id(self, name: str) -> str:
        """What the log calls the table: another one where a table was deleted and made again."""
        with self._told(name):
            return str(asking().sql(f"DESCRIBE DETAIL {self._names.table(name)}").collect()[0]["id"])

    def commits(self, name: str) -> list[tuple[int, str, dict[str, Any]]]:
        """Version, operation and writer's metadata of each commit of a table, newest first."""
        return [
            (int(row["version"]), str(row["operation"] or "unknown"), parse_metadata(row["userMetadata"]))
            for row in self._history(name)
        ]

    def commits_naming(self, name: str, key: str) -> dict[str, int]:
        """Version of each commit of a table whose writer noted a text under a key, by that text."""
        return {
            made[key]: version for version, _, made in self.commits(name) if isinstance(made.get(key), str)
        }

    def active_paths(self, name: str, version: int) -> set[str]:
        """Active files of a version, as Spark names them."""
        with self._told(name, version):
            return set(self._at(asking(), name, version).inputFiles())

    def deletion_vectors(self, name: str, version: int) -> int:
        """None that a reader need apply itself: Spark does, also for copies."""
        return 0

    def same_rows(self, name: str, first: int, second: int) -> bool:
        """Whether nothing between two versions changed rows, by what the commits between did."""
        low, high = sorted((first, second))
        between = {row["operation"] for row in self._history(name) if low < row["version"] <= high}
        return between <= _KEEPS_ROWS

    def fields(self, name: str, version: int | None = None) -> list[tuple[str, str]]:
        """Name and type of each column."""
        self._require(name)
        with self._told(name, version):
            schema = self._at(asking(), name, version).schema
            return [(field.name, field.dataType.json().strip('"')) for field in schema.fields]

    def ask(self, sql: str, tables: Mapping[str, tuple[str, int | None]]) -> Answer:
        """The answer to a query over some tables; SQL is Spark's, with names in double quotes."""
        for name, _ in tables.values():
            self._require(name)
        with LOCK:
            own = asking()
            for called, (name, version) in tables.items():
                with self._told(name, version):
                    self._at(own, name, version).createOrReplaceTempView(called)
            return SparkAnswer(own.sql(sql))

    def text(self, value: str) -> str:
        """A text as a query has it: Spark reads a backslash as the beginning of an escape."""
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def any_within(self, column: str, field: str, listed: str) -> str | None:
        """A condition on rows one of whose structs in a list has one of some values."""
        return f'exists("{column}", one -> one."{field}" IN ({listed}))'

    def sums_of_map(self, name: str, version: int, column: str) -> dict[str, int]:
        """The sum of the values of each key of a column of maps."""
        pairs = f'SELECT explode("{column}") AS (k, v) FROM t'  # noqa: S608 - a column of a declaration
        answer = self.ask(f"SELECT k, sum(v) AS total FROM ({pairs}) GROUP BY k", {"t": (name, version)})  # noqa: S608
        return {row["k"]: int(row["total"]) for row in answer.read_all().to_pylist()}

    def frame(self, spark: SparkSession, name: str, version: int) -> DataFrame:
        """A table at a version as a DataFrame."""
        with self._told(name, version):
            return self._at(spark, name, version)

    def replace(self, frame: DataFrame, table: Table, noted: str, where: str | None = None) -> None:
        """Replaces the rows of a table, or those that meet a condition, in one commit; grants stay."""
        from pyspark.sql import functions as F

        full = self._names.table(table.name)
        if not self.exists(table.name):
            made = frame.writeTo(full).using("delta").option("userMetadata", noted)
            if table.partition_by:
                made = made.partitionedBy(*(F.col(column) for column in table.partition_by))
            # The option alone does not reach the commit that makes a table.
            with with_settings(frame.sparkSession, {_NOTED: noted}):
                made.create()
            return
        same = frame.sparkSession.table(full).schema.simpleString() == frame.schema.simpleString()
        if same or where is not None or not table.partition_by:
            writer = frame.writeTo(full).option("userMetadata", noted)
            if not same and where is None:
                # Another release had other columns.
                writer = writer.option("overwriteSchema", "true")
            writer.overwrite(F.lit(True) if where is None else F.expr(where))
            return
        # That writer would take new columns for a table without partitions. This one keeps the table too.
        (
            frame.write.format("delta")
            .mode("overwrite")
            .option("overwriteSchema", "true")
            .option("userMetadata", noted)
            .partitionBy(*table.partition_by)
            .saveAsTable(full)
        )

    def add(self, table: Table, row: Mapping[str, Any], key: str, text: str) -> None:
        """Adds a row to a table whose log never expires, in one commit; makes the table if there is none."""
        full, spark = self._names.table(table.name), session()
        frame = spark.createDataFrame(one_row(table, row), table.spark_schema()).coalesce(1)
        noted = json.dumps({key: text})
        writer = frame.writeTo(full).option("userMetadata", noted)
        if self.exists(table.name):
            writer.append()
            return
        with with_settings(spark, {_NOTED: noted}):
            writer.using("delta").tableProperty("delta.enableExpiredLogCleanup", "false").create()

    @property
    def _names(self) -> Names:
        assert self._lake.names is not None
        return self._lake.names

    def _at(self, spark: SparkSession, name: str, version: int | None) -> DataFrame:
        full = self._names.table(name)
        if version is None:
            return spark.table(full)
        return at_version(spark, full, version)

    def _history(self, name: str, *, newest: bool = False) -> list[Row]:
        with self._told(name):
            limit = " LIMIT 1" if newest else ""
            return asking().sql(f"DESCRIBE HISTORY {self._names.table(name)}{limit}").collect()

    def _require(self, name: str) -> None:
        if not self.exists(name):
            known = ", ".join(self.names()) or "none yet"
            raise InputError(
                f"there is no table {name!r} in the lake {self._lake.location}; its tables: {known}"
            )

    @contextmanager
    def _told(self, name: str, version: int | None = None) -> Iterator[None]:
        """What goes wrong while a table is read, as one of our errors."""
        try:
            yield
        except (RinglakeError, MemoryError, ConnectionError):
            raise
        except ValueError as error:
            raise InputError(str(error)) from None
        except Exception as error:  # Spark, Delta and the catalog raise their own
            if type(error).__name__ == "Py4JNetworkError":
                raise  # of a JVM that is gone its end tells more
            said = in_one_line(error)
            if "INSUFFICIENT_PERMISSIONS" in said or "PERMISSION_DENIED" in said:
                raise EnvironmentProblem(
                    f"table {name!r} of the lake {self._lake.location} may not be used: {said}; grant "
                    f"USE CATALOG, USE SCHEMA, SELECT, MODIFY and CREATE TABLE on the schema {self._names}"
                ) from error
            if version is not None and _VERSION.search(said):
                raise InputError(
                    f"table {name!r} of the lake {self._lake.location} cannot be opened at version "
                    f"{version}: {said}"
                ) from error
            raise unreadable(self._lake, name, error) from error
