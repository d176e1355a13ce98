"""Predictions in Spark's tasks: the model is opened once a Python worker, and rows come as Arrow batches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipelines.predict.request import Request
from pipelines.predict.rows import Asked, answered, id_array, parse_line, result_arrays, result_fields
from pipelines.worker import Kernel, settle
from training.inference.opening import shared_predictor
from training.inference.predictor import Predictor

LINE = "line"
"""Column of raw lines of JSON."""


@dataclass(frozen=True)
class Work:
    """What a task does; it travels to the workers by value.

    Attributes:
        request: What is asked for.
        identity: The content of the model, by which a worker knows that it has opened this one.
        columns: Columns that the verb reads; of lines of JSON none.
        keeps: Columns that are handed on before the prediction.
    """

    request: Request
    identity: str
    columns: tuple[str, ...]
    keeps: tuple[str, ...]


def kernel(work: Work) -> Kernel:
    """A function for `mapInArrow`: the columns that are kept, then those of the prediction.

    Of lines of JSON the kept column is `id`, as text.
    """

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                if batch.num_rows:
                    yield _predicted(work, _predictor(work), batch)
        finally:
            settle()

    return convert


def _predictor(work: Work) -> Predictor:
    """The model of this worker, for as many threads as its slot has cores."""
    from pyspark import TaskContext

    context, cores = TaskContext.get(), 1
    if context is not None:
        cores = max(1, context.cpus())
        gpus = context.resources().get("gpu")
        if gpus is not None:
            # It counts until this process first uses a GPU, which is when it opens its model.
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus.addresses)
    options = replace(work.request.options, threads=cores)
    return shared_predictor(work.request.verb, work.request.model, work.identity, options)


def _predicted(work: Work, predictor: Predictor, batch: pa.RecordBatch) -> pa.RecordBatch:
    verb, id_column = work.request.verb, work.request.id_column
    if work.columns:
        rows = batch.select(list(dict.fromkeys(work.columns))).to_pylist()
        ids: Sequence[object] = (
            batch.column(id_column).to_pylist() if id_column in batch.schema.names else [None] * len(rows)
        )
        asked = [Asked(id_, row) for id_, row in zip(ids, rows, strict=True)]
        kept = [batch.column(name) for name in work.keeps]
        fields = [batch.schema.field(name) for name in work.keeps]
    else:
        asked = [parse_line(raw, "the line", id_column) for raw in batch.column(LINE).to_pylist()]
        kept = [id_array([item.id for item in asked], pa.string())]
        fields = [pa.field("id", pa.string())]
    arrays = result_arrays(verb, answered(predictor, asked))
    return pa.RecordBatch.from_arrays([*kept, *arrays], schema=pa.schema([*fields, *result_fields(verb)]))
