"""Delta tables that are not the lake's: input that others wrote, read at one version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from pyspark.sql import DataFrame, SparkSession

from conf.urls import without_secrets
from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake.allowed import check_schema
from pipelines.lake.delta_releases import count_deletion_vectors, rows_of_files
from pipelines.lake.named_session import asking, at_version, stored_bytes
from pipelines.lake.spark_answer import SparkAnswer
from ringlake.base.clients import prepare_clients
from ringlake.base.named import SCHEME, parse_table
from ringlake.base.storage import folder_of

_VERSION = re.compile(r"(.+)@v?(\d+)", re.DOTALL)


@dataclass(frozen=True)
class ExternalTable:
    """A Delta table at one version.

    Attributes:
        location: Absolute path or URL of its folder.
        version: The version that is read.
        table_id: What its log calls it, another one where a table was deleted and made again.
        num_bytes: Size of the active files of that version.
        num_rows: Rows of that version; None where its log does not count them.
        columns: Names of its columns.
    """

    location: str
    version: int
    table_id: str
    num_bytes: int
    num_rows: int | None = None
    columns: tuple[str, ...] = ()


def find_external(given: str, key: str = "ingest.inputs") -> ExternalTable:
    """The table that `FOLDER` or `FOLDER@VERSION` names; without a version its current one.

    A folder whose name ends like a version is that folder if a table is there. A table of a catalog is
    `unity://CATALOG.SCHEMA.TABLE`, and is looked at through Spark.

    Args:
        given: What the user wrote.
        key: Where the user wrote it, for messages.

    Raises:
        InputError: There is no such table or version, or its place cannot be reached.
    """
    prepare_clients()
    match = _VERSION.fullmatch(given)
    version: int | None = None
    try:
        if given.startswith(SCHEME):
            return _find_named(given if match is None else match[1], None if match is None else int(match[2]))
        location = folder_of(given).location
        if match is not None and not DeltaTable.is_deltatable(location):
            location, version = folder_of(match[1]).location, int(match[2])
        table = DeltaTable(location, version=version)
        actions = pa.table(table.get_add_actions(flatten=True))
        sizes = actions.column("size_bytes").to_pylist()
        return ExternalTable(
            location,
            table.version(),
            str(table.metadata().id),
            sum(sizes),
            _rows(table, actions),
            tuple(field.name for field in table.schema().fields),
        )
    except (EnvironmentProblem, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the log's reader and each file system raise their own
        said = without_secrets(str(error)).partition("\n")[0] or type(error).__name__
        # The cause is left out: its message may hold the URL as it was given.
        raise InputError(
            f"{key}: {without_secrets(given)!r} is no Delta table that can be read: {said}"
        ) from None


def read_external(spark: SparkSession, location: str, version: int) -> DataFrame:
    """The rows of a table at a version, those that deletion vectors delete left out."""
    if (named := parse_table(location)) is not None:
        return at_version(spark, named[0].table(named[1]), version)
    place = location if "://" in location else f"file://{location}"
    return spark.read.format("delta").option("versionAsOf", version).load(place)


def stream_external(table: ExternalTable, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a table batch by batch, without Spark; a few batches are in memory at a time.

    Of a table with a name they come through Spark.
    """
    if (named := parse_table(table.location)) is not None:
        frame = at_version(asking(), named[0].table(named[1]), table.version)
        yield from SparkAnswer(frame.select(*(frame[column] for column in columns)))
        return
    found = DeltaTable(table.location, version=table.version)
    wanted = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
    sql = f"SELECT {wanted} FROM t"  # noqa: S608 - column names are quoted
    for batch in QueryBuilder().register("t", found).execute(sql):
        yield pa.record_batch(batch)


def _find_named(location: str, version: int | None) -> ExternalTable:
    named = parse_table(location)
    assert named is not None
    spark, full = asking(), named[0].table(named[1])
    check_schema(spark, named[0])
    detail = spark.sql(f"DESCRIBE DETAIL {full}").collect()[0]
    if version is None:
        version = int(spark.sql(f"DESCRIBE HISTORY {full} LIMIT 1").collect()[0]["version"])
    frame = at_version(spark, full, version)
    return ExternalTable(
        location, version, str(detail["id"]), stored_bytes(frame), frame.count(), tuple(frame.columns)
    )


def _rows(table: DeltaTable, actions: pa.Table) -> int | None:
    """Rows by the log; None where a file's are not counted, or deletion vectors take some away."""
    counts = rows_of_files(actions)
    if None in counts or count_deletion_vectors(table):
        return None
    return int(sum(counts))
