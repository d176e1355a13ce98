"""Streams row groups through Petastorm in the order of a schedule and hands out a rank's batches.

Petastorm's thread pool reads ahead while the step computes and gives results back in the order they were
asked for. What is asked for comes from the schedule alone: a lane (canonical shard) asks for a block when a
batch first needs it. Between two batches at most one block a lane and the read-ahead are in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.data.layout import COLUMN_TYPES, Layout, RowSlice
from training.data.petastorm_compat import (
    ArrowReaderWorker,
    NullCache,
    Reader,
    ThreadPool,
    Unischema,
    UnischemaField,
    Ventilator,
)
from training.data.schedule import Schedule
from training.errors import DataError
from training.storage import arrow_filesystem

NUM_WORKERS = 2
"""Reading threads a rank: decoding releases the GIL, and two hide the latency of one file behind another."""

BLOCKS_AHEAD_PER_LANE = 1
"""Blocks read ahead for each lane, beside the one in use."""


@dataclass(frozen=True)
class Batch:
    """A rank's part of a batch.

    Attributes:
        step: Number of the batch in its schedule.
        sequence_ids: int64 (rows,), in order of use; there may be no rows at all.
        input_ids: int32 (rows, sequence_length).
        num_tokens: int32 (rows,): tokens of a row that are not padding.
    """

    step: int
    sequence_ids: npt.NDArray[np.int64]
    input_ids: npt.NDArray[np.int32]
    num_tokens: npt.NDArray[np.int32]


class SequenceReader:
    """Iterates over a rank's batches in exactly the schedule's order.

    Use it as a context manager, so that the reading threads end.

    Args:
        layout: The row groups of the split.
        schedule: What to read; also where to start.
        vocab_size: Token ids must be below it.

    Attributes:
        wait_seconds: Time that `next` has spent waiting for data, in seconds.

    Raises:
        DataError: While iterating: a row group does not hold what the layout says.
    """

    def __init__(self, layout: Layout, schedule: Schedule, vocab_size: int) -> None:
        self.wait_seconds = 0.0
        self._layout = layout
        self._schedule = schedule
        self._blocks = _BlockReader(layout, schedule, vocab_size)
        self._batches = self._assemble()

    def __enter__(self) -> SequenceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the reading threads; what was read ahead is thrown away."""
        self._blocks.stop()
        self._blocks.join()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        begin = time.perf_counter()
        batch = next(self._batches)
        self.wait_seconds += time.perf_counter() - begin
        return batch

    def _assemble(self) -> Iterator[Batch]:
        lanes: dict[int, tuple[int, Any]] = {}
        length = self._layout.sequence_length
        for planned in self._schedule():
            ids, tokens, counts = [], [], []
            for draw in planned.draws:
                number, block = lanes.get(draw.lane, (-1, None))
                if number != draw.segment.first:
                    block = next(self._blocks)
                    lanes[draw.lane] = (draw.segment.first, block)
                rows = draw.segment.ids - draw.segment.first
                ids.append(draw.segment.ids)
                tokens.append(block.input_ids[rows])
                counts.append(block.num_tokens[rows])
            yield Batch(
                step=planned.step,
                sequence_ids=np.concatenate(ids) if ids else np.empty(0, np.int64),
                input_ids=np.concatenate(tokens) if tokens else np.empty((0, length), np.int32),
                num_tokens=np.concatenate(counts) if counts else np.empty(0, np.int32),
            )


class _BlockReader(Reader):
    """Petastorm's reader over explicit row groups in an explicit order.

    Petastorm's own constructor lists the data set and shuffles by itself; both are the plan's business
    here, so only the streaming half of the class is set up: pool, ventilator and results queue reader.
    """

    def __init__(self, layout: Layout, schedule: Schedule, vocab_size: int) -> None:
        self.schema = Unischema(
            "sequences",
            [
                UnischemaField("input_ids", np.int32, (layout.sequence_length,), None, False),
                UnischemaField("num_tokens", np.int32, (), None, False),
            ],
        )
        self.ngram = None
        self.cache = NullCache()
        self.num_epochs = 1
        self.is_batched_reader = True
        self.last_row_consumed = False
        self.stopped = False
        self._results_queue_reader = _BlockWorker.new_results_queue_reader()
        first = next(schedule(), None)
        num_lanes = len({draw.lane for draw in first.draws}) if first else 0
        ahead = max(NUM_WORKERS, num_lanes * BLOCKS_AHEAD_PER_LANE)
        self._workers_pool = ThreadPool(NUM_WORKERS, results_queue_size=NUM_WORKERS * ahead)
        self.ventilator = _ScheduleVentilator(self._workers_pool.ventilate, layout, schedule, ahead)
        # The first twelve are Petastorm's, in its order; its file system, pieces, shuffling stay unused.
        petastorm_arguments = (
            *(None, list(layout.paths), self.schema, None, None, self.cache),
            *(None, self.schema, None, False, None, False),
        )
        self._workers_pool.start(
            _BlockWorker,
            (*petastorm_arguments, layout.sequence_length, vocab_size),
            ventilator=self.ventilator,
        )


class _ScheduleVentilator(Ventilator):
    """Asks for blocks in the order in which batches need them, a fixed number ahead.

    It has no thread: each processed block lets the next one in, so memory is bounded and the order is the
    schedule's.
    """

    def __init__(
        self, ventilate: Callable[..., None], layout: Layout, schedule: Schedule, ahead: int
    ) -> None:
        super().__init__(ventilate)
        self._needs = _needed_blocks(layout, schedule)
        self._ahead = ahead
        self._finished = False

    def start(self) -> None:
        for _ in range(self._ahead):
            self.processed_item()

    def processed_item(self) -> None:
        slices = None if self._finished else next(self._needs, None)
        if slices is None:
            self._finished = True
        else:
            self._ventilate_fn(slices=slices)

    def completed(self) -> bool:
        return self._finished

    def stop(self) -> None:
        self._finished = True


def _needed_blocks(layout: Layout, schedule: Schedule) -> Iterator[list[RowSlice]]:
    lanes: dict[int, int] = {}
    for planned in schedule():
        for draw in planned.draws:
            first = draw.segment.first
            if lanes.get(draw.lane) != first:
                lanes[draw.lane] = first
                yield layout.slices(first, draw.segment.end)


class _BlockWorker(ArrowReaderWorker):
    """Reads one block as NumPy matrices, without an object a row."""

    def __init__(self, worker_id: int, publish: Callable[[Any], None], arguments: tuple[Any, ...]) -> None:
        super().__init__(worker_id, publish, arguments)
        self._sequence_length, self._vocab_size = arguments[-2], arguments[-1]

    def process(self, slices: list[RowSlice]) -> None:
        """Publish `input_ids` (rows, sequence_length) and `num_tokens` (rows,) of a block."""
        parts = [_read_rows(part, self._sequence_length, self._vocab_size) for part in slices]
        tokens, counts = zip(*parts, strict=True)
        self.publish_func(
            {
                "input_ids": tokens[0] if len(tokens) == 1 else np.concatenate(tokens),
                "num_tokens": counts[0] if len(counts) == 1 else np.concatenate(counts),
            }
        )


def _read_rows(
    part: RowSlice, length: int, vocab_size: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    filesystem, path = arrow_filesystem(part.path)
    place = f"{part.path}, row group {part.row_group}"
    try:
        with filesystem.open_input_file(path) as handle, pq.ParquetFile(handle) as file:
            table = file.read_row_group(part.row_group, columns=list(COLUMN_TYPES), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{place} cannot be read: {' '.join(str(error).split())}") from None
    table = table.slice(part.start, part.end - part.start).combine_chunks()
    ids = table.column("sequence_id").to_numpy()
    if not np.array_equal(ids, np.arange(part.first_id, part.first_id + len(ids))):
        raise DataError(f"{place}: rows are not in order of sequence_id from {part.first_id}; pack again")
    tokens = _matrix(table.column("input_ids").chunk(0), length, place)
    counts = table.column("num_tokens").to_numpy()
    if len(counts) and not (int(counts.min()) >= 1 and int(counts.max()) <= length):
        raise DataError(
            f"{place}: num_tokens must lie in 1 to {length}, but is {int(counts.min())} to "
            f"{int(counts.max())}"
        )
    if tokens.size and not (int(tokens.min()) >= 0 and int(tokens.max()) < vocab_size):
        raise DataError(
            f"{place}: token ids {int(tokens.min())} to {int(tokens.max())} do not fit a vocabulary of "
            f"{vocab_size}; the table was made with another tokenizer, tokenize again"
        )
    return tokens, counts


def _matrix(column: pa.ListArray, length: int, place: str) -> npt.NDArray[np.int32]:
    """A list column as a matrix over the same memory; every list must have the same length."""
    lengths = np.diff(column.offsets.to_numpy())
    if column.null_count or np.any(lengths != length):
        odd = lengths[lengths != length]
        found = f"{int(odd[0])} tokens" if odd.size else "a null"
        raise DataError(f"{place}: a row of input_ids has {found}, but sequences have {length}")
    values: npt.NDArray[np.int32] = column.flatten().to_numpy(zero_copy_only=True)
    return values.reshape(-1, length)
