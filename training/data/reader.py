"""Streams row groups through Petastorm in the order of a schedule and hands out a rank's batches.

Petastorm's thread pool reads ahead while the step computes and gives results back in the order they were
asked for. What is asked for comes from the schedule alone: a lane (canonical shard) asks for a block when a
batch first needs it. Between two batches at most one block a lane and the read-ahead are in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, tee
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.token_ids import TokenIds, flat_ids, token_type
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
from training.data.schedule import Run, Schedule
from training.errors import DataError
from training.storage import arrow_filesystem

NUM_WORKERS = 2
"""Reading threads a rank: decoding releases the GIL, and two hide the latency of one file behind another."""

RUN_BYTES = 512 * 1024
"""Tokens that are gathered at once, for as many batches as that makes: small enough for a core's cache."""

MAX_OPEN_FILES = 16
"""Files that a reading thread keeps open: to open one and parse its footer takes a good part of the time
that reading a row group takes."""

BLOCKS_AHEAD_PER_LANE = 1
"""Blocks read ahead for each lane, beside the one in use."""


@dataclass(frozen=True)
class Batch:
    """A rank's part of a batch.

    Attributes:
        step: Number of the batch in its schedule.
        sequence_ids: int64 (rows,), in order of use; there may be no rows at all.
        input_ids: uint16 or uint32 (rows, sequence_length), as stored: who computes widens what it needs.
        num_tokens: int32 (rows,): tokens of a row that are not padding.
    """

    step: int
    sequence_ids: npt.NDArray[np.int64]
    input_ids: TokenIds
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
        # The plan is walked once: what looks ahead for blocks leaves its runs to what assembles them.
        first, ahead, planned = tee(schedule(), 3)
        num_lanes = len({draw.lane for run in islice(first, 1) for draw in run.draws})
        self._blocks = _BlockReader(layout, _needed_blocks(layout, ahead), num_lanes, vocab_size)
        self._batches = self._assemble(planned)

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

    def _assemble(self, schedule: Iterator[Run]) -> Iterator[Batch]:
        lanes: dict[int, tuple[int, Any]] = {}
        for run in schedule:
            blocks = []
            for lane, segment in run.draws:
                number, block = lanes.get(lane, (-1, None))
                if number != segment.first:
                    block = next(self._blocks)
                    lanes[lane] = (segment.first, block)
                blocks.append(block)
            yield from _batches_of(run, blocks, self._layout)


def _batches_of(run: Run, blocks: Sequence[Any], layout: Layout) -> Iterator[Batch]:
    """The batches of a run, gathered several at once.

    Args:
        run: The run.
        blocks: The block of each of its draws.
        layout: Length and type of the sequences.
    """
    length, dtype = layout.sequence_length, token_type(layout.token_bytes)
    drawn = [draw.segment.ids.reshape(run.steps, -1) for draw in run.draws]
    rows = sum(ids.shape[1] for ids in drawn)
    at_once = max(1, RUN_BYTES // (dtype.itemsize * length * max(1, rows)))
    for begin in range(0, run.steps, at_once):
        steps = min(at_once, run.steps - begin)
        ids, counts = np.empty((steps, rows), np.int64), np.empty((steps, rows), np.int32)
        tokens = np.empty((steps, rows, length), dtype)
        low = 0
        for draw, block, of_draw in zip(run.draws, blocks, drawn, strict=True):
            part = of_draw[begin : begin + steps]
            place = slice(low, low + part.shape[1])
            within = part - draw.segment.first
            ids[:, place] = part
            tokens[:, place] = block.input_ids[within]
            counts[:, place] = block.num_tokens[within]
            low = place.stop
        for number in range(steps):
            yield Batch(run.step + begin + number, ids[number], tokens[number], counts[number])


class _BlockReader(Reader):
    """Petastorm's reader over explicit row groups in an explicit order.

    Petastorm's own constructor lists the data set and shuffles by itself; both are the plan's business
    here, so only the streaming half of the class is set up: pool, ventilator and results queue reader.
    """

    def __init__(
        self, layout: Layout, needs: Iterator[list[RowSlice]], num_lanes: int, vocab_size: int
    ) -> None:
        self.schema = Unischema(
            "sequences",
            [
                UnischemaField(
                    "input_ids",
                    token_type(layout.token_bytes).type,
                    (layout.sequence_length,),
                    None,
                    False,
                ),
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
        ahead = max(NUM_WORKERS, num_lanes * BLOCKS_AHEAD_PER_LANE)
        self._workers_pool = ThreadPool(NUM_WORKERS, results_queue_size=NUM_WORKERS * ahead)
        self.ventilator = _ScheduleVentilator(self._workers_pool.ventilate, needs, ahead)
        # The first twelve are Petastorm's, in its order; its file system, pieces, shuffling stay unused.
        petastorm_arguments = (
            *(None, list(layout.paths), self.schema, None, None, self.cache),
            *(None, self.schema, None, False, None, False),
        )
        self._workers_pool.start(
            _BlockWorker,
            (*petastorm_arguments, layout.sequence_length, layout.token_bytes, vocab_size),
            ventilator=self.ventilator,
        )


class _ScheduleVentilator(Ventilator):
    """Asks for blocks in the order in which batches need them, a fixed number ahead.

    It has no thread: each processed block lets the next one in, so memory is bounded and the order is the
    schedule's.
    """

    def __init__(self, ventilate: Callable[..., None], needs: Iterator[list[RowSlice]], ahead: int) -> None:
        super().__init__(ventilate)
        self._needs = needs
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


def _needed_blocks(layout: Layout, schedule: Iterator[Run]) -> Iterator[list[RowSlice]]:
    lanes: dict[int, int] = {}
    for run in schedule:
        for lane, segment in run.draws:
            if lanes.get(lane) != segment.first:
                lanes[lane] = segment.first
                yield layout.slices(segment.first, segment.end)


class _BlockWorker(ArrowReaderWorker):
    """Reads one block as NumPy matrices, without an object a row."""

    def __init__(self, worker_id: int, publish: Callable[[Any], None], arguments: tuple[Any, ...]) -> None:
        super().__init__(worker_id, publish, arguments)
        self._form: tuple[int, int, int] = arguments[-3:]
        self._open = lru_cache(MAX_OPEN_FILES)(_open_file)

    def process(self, slices: list[RowSlice]) -> None:
        """Publish `input_ids` (rows, sequence_length) and `num_tokens` (rows,) of a block."""
        parts = [_read_rows(part, self._open, *self._form) for part in slices]
        tokens, counts = zip(*parts, strict=True)
        self.publish_func(
            {
                "input_ids": tokens[0] if len(tokens) == 1 else np.concatenate(tokens),
                "num_tokens": counts[0] if len(counts) == 1 else np.concatenate(counts),
            }
        )


def _read_rows(
    part: RowSlice,
    open_file: Callable[[str], pq.ParquetFile],
    length: int,
    token_bytes: int,
    vocab_size: int,
) -> tuple[TokenIds, npt.NDArray[np.int32]]:
    try:
        file = open_file(part.path)
        table = file.read_row_group(part.row_group, columns=list(COLUMN_TYPES), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        place = f"{part.path}, row group {part.row_group}"
        raise DataError(f"{place} cannot be read: {' '.join(str(error).split())}") from None
    return _checked(table, part, length, token_bytes, vocab_size)


def _open_file(location: str) -> pq.ParquetFile:
    filesystem, path = arrow_filesystem(location)
    return pq.ParquetFile(filesystem.open_input_file(path))


def _checked(
    table: pa.Table, part: RowSlice, length: int, token_bytes: int, vocab_size: int
) -> tuple[TokenIds, npt.NDArray[np.int32]]:
    """Tokens (rows, length) and their numbers (rows,) of what was read of a row group.

    A thread that computes beside this one gets the interpreter's lock whenever a call here gives it up, and
    keeps it for milliseconds: so there are few such calls.
    """
    place = f"{part.path}, row group {part.row_group}"
    if part.end - part.start < table.num_rows:
        table = table.slice(part.start, part.end - part.start)
    if any(column.num_chunks != 1 for column in table.columns):
        table = table.combine_chunks()
    ids = table.column("sequence_id").to_numpy()
    if not np.array_equal(ids, np.arange(part.first_id, part.first_id + len(ids))):
        raise DataError(f"{place}: rows are not in order of sequence_id from {part.first_id}; pack again")
    tokens = _matrix(table.column("input_ids").chunk(0), length, token_bytes, place)
    counts = table.column("num_tokens").to_numpy()
    if len(counts) and not (int(counts.min()) >= 1 and int(counts.max()) <= length):
        raise DataError(
            f"{place}: num_tokens must lie in 1 to {length}, but is {int(counts.min())} to "
            f"{int(counts.max())}"
        )
    # Ids of two bytes cannot exceed the largest vocabulary that has such: one look is saved.
    if vocab_size < 2 ** (8 * token_bytes) and tokens.size and int(tokens.max()) >= vocab_size:
        raise DataError(
            f"{place}: token ids {int(tokens.min())} to {int(tokens.max())} do not fit a vocabulary of "
            f"{vocab_size}; the table was made with another tokenizer, tokenize again"
        )
    return tokens, counts


def _matrix(column: pa.BinaryArray, length: int, token_bytes: int, place: str) -> TokenIds:
    """A binary column as a matrix over the same memory; every value must hold `length` token ids."""
    try:
        values, lengths = flat_ids(column, token_bytes)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from None
    if np.any(lengths != length):
        odd = int(lengths[lengths != length][0])
        raise DataError(f"{place}: a row of input_ids has {odd} tokens, but sequences have {length}")
    return values.reshape(-1, length)
