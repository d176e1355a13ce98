"""Streams blocks through Petastorm in the order in which they are needed.

Petastorm's thread pool reads ahead while the step computes and gives results back in the order they were
asked for. Petastorm's pool without threads reads a block when it is needed: where a rank computes on one
core, threads would only take turns on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from os.path import isabs
from typing import Any

import numpy as np

from schemas.token_ids import token_type
from training.data.blocks import Block, BlockFiles, RowGroupState
from training.data.layout import Layout, RowSlice
from training.data.petastorm_compat import (
    ArrowReaderWorker,
    DummyPool,
    NullCache,
    Reader,
    ThreadPool,
    Unischema,
    UnischemaField,
    Ventilator,
)

STORE_THREADS = 2
"""Reading threads of a rank if files lie behind a URL: one hides the latency of the other. Of local files one
thread reads more than a rank can take, and further ones cost: they take the interpreter from each other."""

REQUEST_BYTES = 2 * 2**20
"""Token ids that a thread is asked for at once, but at least a block. To hand over a result takes about as
long as to read 200 KiB that are in memory."""

UNTHREADED_BYTES = 2**19
"""As much without threads, where a request is a call: small enough for a core's cache."""

MIN_AHEAD = 2
"""Requests that are under way at least: one is read while batches are made of another."""


class BlockStream(Reader):
    """Petastorm's reader over explicit row groups in an explicit order.

    Petastorm's own constructor lists the data set and shuffles by itself; both are the plan's business
    here, so only the streaming half of the class is set up: pool, ventilator and results queue reader.

    Args:
        layout: The row groups.
        needs: The parts of row groups of each block, in the order of use.
        num_lanes: Blocks that are in use at the same time; threads read as many ahead, or `MIN_AHEAD`
            requests if that is more.
        vocab_size: Token ids must be below it.
        reads_ahead: Whether threads read. From behind a URL they always do, for its latency.
    """

    def __init__(
        self,
        layout: Layout,
        needs: Iterator[list[RowSlice]],
        num_lanes: int,
        vocab_size: int,
        reads_ahead: bool,
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
        is_local = all(map(isabs, layout.paths))
        if reads_ahead or not is_local:
            at_once = _blocks_in(REQUEST_BYTES, layout)
            ahead = max(MIN_AHEAD, -(-num_lanes // at_once))
            threads = 1 if is_local else STORE_THREADS
            self._workers_pool = ThreadPool(threads, results_queue_size=threads * ahead)
        else:
            at_once, ahead = _blocks_in(UNTHREADED_BYTES, layout), 1
            self._workers_pool = DummyPool()
        self.ventilator = _Ventilator(self._workers_pool.ventilate, needs, at_once, ahead)
        # The first twelve are Petastorm's, in its order; its file system, pieces, shuffling stay unused.
        petastorm_arguments = (
            *(None, list(layout.paths), self.schema, None, None, self.cache),
            *(None, self.schema, None, False, None, False),
        )
        self._workers_pool.start(
            _BlockWorker,
            (*petastorm_arguments, RowGroupState(layout, vocab_size)),
            ventilator=self.ventilator,
        )

    def blocks(self) -> Iterator[Block]:
        """The blocks one by one.

        Raises:
            DataError: A row group does not hold what the layout says.
        """
        return chain.from_iterable(map(Block, result.input_ids, result.num_tokens) for result in self)


def _blocks_in(size: int, layout: Layout) -> int:
    """Blocks of that many bytes, at least one."""
    return max(1, size // (layout.block_rows * layout.sequence_length * layout.token_bytes))


class _Ventilator(Ventilator):
    """Asks for blocks in the order in which batches need them, a fixed number of requests ahead.

    It has no thread: each processed request lets the next one in, so memory is bounded and the order is the
    schedule's.
    """

    def __init__(
        self, ventilate: Callable[..., None], needs: Iterator[list[RowSlice]], at_once: int, ahead: int
    ) -> None:
        super().__init__(ventilate)
        self._needs = needs
        self._at_once = at_once
        self._ahead = ahead
        self._finished = False

    def start(self) -> None:
        for _ in range(self._ahead):
            self.processed_item()

    def processed_item(self) -> None:
        request = [] if self._finished else list(islice(self._needs, self._at_once))
        if request:
            self._ventilate_fn(request=request)
        else:
            self._finished = True

    def completed(self) -> bool:
        return self._finished

    def stop(self) -> None:
        self._finished = True


class _BlockWorker(ArrowReaderWorker):
    """Reads blocks as NumPy matrices."""

    def __init__(self, worker_id: int, publish: Callable[[Any], None], arguments: tuple[Any, ...]) -> None:
        super().__init__(worker_id, publish, arguments)
        self._files = BlockFiles(arguments[-1])

    def process(self, request: list[list[RowSlice]]) -> None:
        """Publish `input_ids` (rows, sequence_length) and `num_tokens` (rows,) of each block."""
        blocks = [self._files.read(parts) for parts in request]
        self.publish_func(
            {
                "input_ids": [block.input_ids for block in blocks],
                "num_tokens": [block.num_tokens for block in blocks],
            }
        )
