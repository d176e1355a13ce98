"""A DataFrame with predictions beside its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import InputError
from pipelines.predict.kernel import LINE, Work, kernel
from pipelines.predict.request import Request
from pipelines.predict.rows import COLUMNS, result_fields

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def predict_frame(frame: DataFrame, request: Request, keeps: Sequence[str] | None = None) -> DataFrame:
    """The rows of a DataFrame with `prediction`, `score`, and `reason` and `detail` of a row without one.

    Nothing is computed before the result is used, and then again with each use: write it, or persist it.

    Args:
        frame: Has the columns that the verb reads; an id, if there is one, draws texts of its own.
        request: What is asked for.
        keeps: Columns that the result has; None: all.

    Raises:
        InputError: A column is missing, or has the name of one that is made.
    """
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.types import StructType

    keeps = frame.columns if keeps is None else keeps
    made = [name for name in keeps if name in COLUMNS[1:]]
    if made:
        raise InputError(f"the DataFrame has a column {made[0]!r} already; rename it, or leave it out")
    names = frame.columns if request.id_column in frame.columns else [*frame.columns, request.id_column]
    columns = request.columns_in(names, "the DataFrame")
    schema = StructType([frame.schema[name] for name in keeps])
    for field in from_arrow_schema(pa.schema(result_fields(request.verb))).fields:
        schema = schema.add(field)
    work = Work(request, request.identity, columns, tuple(keeps))
    return frame.mapInArrow(kernel(work), schema)


def predict_lines(frame: DataFrame, request: Request) -> DataFrame:
    """The predictions of lines of JSON, the column `line` of a DataFrame, with the ids as text."""
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = from_arrow_schema(pa.schema([pa.field("id", pa.string()), *result_fields(request.verb)]))
    return frame.select(LINE).mapInArrow(kernel(Work(request, request.identity, (), ())), schema)
