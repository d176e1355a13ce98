"""What Spark found, as Arrow: whole or batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class SparkAnswer:
    """What Spark found."""

    def __init__(self, frame: DataFrame) -> None:
        self._frame = frame

    def read_all(self) -> pa.Table:
        """All rows."""
        return self._frame.toArrow()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches as they come: Spark's own way to Arrow would hold all of them at once."""
        for row in self._frame.mapInArrow(_as_stream, "batch binary").toLocalIterator():
            yield from pa.ipc.open_stream(row["batch"])


def _as_stream(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Each batch as one value, a stream of Arrow's."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        yield pa.RecordBatch.from_pydict({"batch": pa.array([sink.getvalue().to_pybytes()], pa.binary())})
