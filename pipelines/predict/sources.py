"""Input of predictions on Spark: a Delta table at a version, or files of JSON lines as they are now."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import InputError
from pipelines.lake.external import find_external, read_external
from pipelines.predict.frame import predict_frame, predict_lines
from pipelines.predict.kernel import LINE
from pipelines.predict.request import Request
from ringlake.base.storage import folder_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Source:
    """Rows to be predicted.

    Attributes:
        location: The table, or the pattern of the files.
        identity: Its content: another one is another input.
        version: Version of the table; None of files.
        num_rows: How many rows; None where they have to be counted.
        paths: The files.
        columns: Columns of the table that are read.
    """

    location: str
    identity: str
    version: int | None
    num_rows: int | None
    paths: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def frame(self, spark: SparkSession) -> DataFrame:
        """The rows: columns of the table, or the lines of the files that have more than space."""
        from pyspark.sql import functions as F

        if self.version is not None:
            return read_external(spark, self.location, self.version).select(*self.columns)
        # Only a line feed ends a line, as it does where one process reads them.
        lines = spark.read.option("lineSep", "\n").text(list(self.paths))
        return lines.where(F.col("value").rlike(r"\S")).select(F.col("value").cast("binary").alias(LINE))

    def predicted(self, frame: DataFrame, request: Request) -> DataFrame:
        """The predictions of some of its rows: id, prediction, score, reason, detail."""
        if self.version is None:
            return predict_lines(frame, request)
        found = predict_frame(frame, request, [request.id_column])
        return found.withColumnRenamed(request.id_column, "id")


def find_source(given: str, request: Request) -> Source:
    """The input that `--input` names.

    Args:
        given: `FOLDER` or `FOLDER@VERSION` of a Delta table, or a path of `.jsonl` files, wildcards allowed.
        request: What is asked for.

    Raises:
        InputError: There is no such table or file, or the table lacks a column.
    """
    if not given.endswith(".jsonl"):
        table = find_external(given, "--input")
        columns = tuple(dict.fromkeys([request.id_column, *request.columns_in(table.columns, given)]))
        identity = f"{table.table_id}@{table.version}"
        return Source(table.location, identity, table.version, table.num_rows, columns=columns)
    location = folder_of(given).location
    parts = location.split("/")
    first = next((place for place, part in enumerate(parts) if set("*?[") & set(part)), len(parts) - 1)
    folder = folder_of("/".join(parts[:first]) or "/")
    try:
        files = sorted(folder.find("/".join(parts[first:])), key=lambda file: file.name)
    except FileNotFoundError:
        files = []
    if not files:
        raise InputError(f"--input {given}: there is no such file")
    described = [[file.name, file.num_bytes, file.version] for file in files]
    identity = hashlib.sha256(json.dumps([folder.location, described]).encode()).hexdigest()
    paths = [folder.file(file.name).location for file in files]
    return Source(
        location,
        identity,
        None,
        None,
        tuple(f"file://{path}" if path.startswith("/") else path for path in paths),
    )
