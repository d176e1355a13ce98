"""Delta tables that are not the lake's: input that others wrote, read at one version."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from conf.urls import without_secrets
from pipelines.errors import InputError
from ringlake.base.hadoop import use_shipped_configuration
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
    """

    location: str
    version: int
    table_id: str
    num_bytes: int


def find_external(given: str) -> ExternalTable:
    """The table that `FOLDER` or `FOLDER@VERSION` names; without a version its current one.

    A folder whose name ends like a version is that folder if a table is there.

    Raises:
        InputError: There is no such table or version, or its place cannot be reached.
    """
    use_shipped_configuration()
    match = _VERSION.fullmatch(given)
    version: int | None = None
    location = folder_of(given).location
    try:
        if match is not None and not DeltaTable.is_deltatable(location):
            location, version = folder_of(match[1]).location, int(match[2])
        table = DeltaTable(location, version=version)
        actions = pa.table(table.get_add_actions(flatten=True))
        sizes = actions.column("size_bytes").to_pylist()
        return ExternalTable(location, table.version(), str(table.metadata().id), sum(sizes))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the log's reader and each file system raise their own
        said = without_secrets(str(error)).partition("\n")[0] or type(error).__name__
        # The cause is left out: its message may hold the URL as it was given.
        raise InputError(
            f"ingest.inputs: {without_secrets(given)!r} is no Delta table that can be read: {said}"
        ) from None


def read_external(spark: SparkSession, location: str, version: int) -> DataFrame:
    """The rows of a table at a version, those that deletion vectors delete left out."""
    place = location if "://" in location else f"file://{location}"
    return spark.read.format("delta").option("versionAsOf", version).load(place)
