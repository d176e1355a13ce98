"""The Petastorm 0.13.1 behaviour that the reader leans on; a new Petastorm or pyarrow must keep it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any, ClassVar

import numpy as np
import pytest

from training.data import petastorm_compat as compat


class NumberWorker(compat.ArrowReaderWorker):
    """Publishes its item; later items are faster, so that order cannot come from speed."""

    def __init__(self, worker_id: int, publish: Any, arguments: Any) -> None:
        super().__init__(worker_id, publish, (None,) * 12)

    def process(self, number: int) -> None:
        time.sleep(0.002 * (5 - number % 5))
        if number < 0:
            raise RuntimeError(f"bad item {number}")
        self.publish_func({"number": np.array([number])})


class ListVentilator(compat.Ventilator):
    """Asks for items two ahead of what was processed."""

    def __init__(self, ventilate: Any, items: list[int]) -> None:
        super().__init__(ventilate)
        self.waiting, self.in_flight, self.most_in_flight = list(items), 0, 0

    def start(self) -> None:
        self._feed()
        self._feed()

    def _feed(self) -> None:
        if self.waiting:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self._ventilate_fn(number=self.waiting.pop(0))

    def processed_item(self) -> None:
        self.in_flight -= 1
        self._feed()

    def completed(self) -> bool:
        return not self.waiting

    def stop(self) -> None:
        self.waiting.clear()


def start(items: list[int], workers: int = 3) -> tuple[Any, ListVentilator]:
    pool = compat.ThreadPool(workers)
    ventilator = ListVentilator(pool.ventilate, items)
    pool.start(NumberWorker, None, ventilator=ventilator)
    return pool, ventilator


def drain(pool: Any) -> list[int]:
    reader = NumberWorker.new_results_queue_reader()
    schema = compat.Unischema("s", [compat.UnischemaField("number", np.int64, (), None, False)])
    found = []
    while True:
        try:
            found.append(int(reader.read_next(pool, schema, None).number[0]))
        except StopIteration:
            return found


def test_petastorm_alone_does_not_import_on_this_pyarrow() -> None:
    """Once it does, the placeholders can go."""
    done = subprocess.run(
        [sys.executable, "-c", "import petastorm.reader"], capture_output=True, text=True, check=False
    )
    assert "pyarrow.filesystem" in done.stderr


def test_placeholders_are_gone_after_the_import() -> None:
    assert "pyarrow.filesystem" not in sys.modules
    assert "pyarrow.hdfs" not in sys.modules


def test_neither_setuptools_nor_pyspark_is_imported() -> None:
    """A cluster's own are not Petastorm's, and Python 3.12 has no distutils without setuptools."""
    program = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"setuptools", "pkg_resources", "distutils", "pyspark"}:
            raise ImportError(f"{name} is asked for")

sys.meta_path.insert(0, Refuse())
import training.data.petastorm_compat
import horovod.torch, training.launch.rendezvous
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_requests(workers: int) -> None:
    pool, _ = start(list(range(40)), workers)
    assert drain(pool) == list(range(40))
    pool.stop()
    pool.join()


def test_each_taken_result_is_reported_to_the_ventilator() -> None:
    pool, ventilator = start(list(range(30)))
    drain(pool)
    pool.stop()
    pool.join()
    assert ventilator.most_in_flight == 2
    assert ventilator.in_flight == 0


def test_an_error_in_a_worker_reaches_the_consumer(capfd: pytest.CaptureFixture[str]) -> None:
    pool, _ = start([0, 1, -7, 3])
    with pytest.raises(RuntimeError, match="bad item -7"):
        drain(pool)


def test_threads_end_on_stop_even_if_results_are_left() -> None:
    before = threading.active_count()
    pool, _ = start(list(range(100)))
    pool.stop()
    pool.join()
    assert threading.active_count() == before


def test_a_dictionary_of_arrays_is_passed_on_as_it_is() -> None:
    """Petastorm's own conversion would stack a matrix row by row."""
    matrix = np.arange(6, dtype=np.int32).reshape(2, 3)

    class Pool:
        def get_results(self) -> dict[str, Any]:
            return {"input_ids": matrix}

    schema = compat.Unischema("s", [compat.UnischemaField("input_ids", np.int32, (3,), None, False)])
    row = compat.ArrowReaderWorker.new_results_queue_reader().read_next(Pool(), schema, None)
    assert row.input_ids is matrix


def test_idle_workers_look_for_work_at_our_pace() -> None:
    from petastorm.workers_pool import thread_pool

    assert thread_pool.IO_TIMEOUT_INTERVAL_S == compat.POLL_SECONDS
    assert thread_pool.WorkerThread.run.__globals__["IO_TIMEOUT_INTERVAL_S"] == compat.POLL_SECONDS


def test_a_worker_takes_twelve_arguments_of_its_own_and_leaves_the_rest() -> None:
    """The reader hands its own through, behind Petastorm's."""
    compat.ArrowReaderWorker(0, print, (*(None,) * 12, "ours", "too"))
    with pytest.raises(IndexError):
        compat.ArrowReaderWorker(0, print, (None,) * 10)


class ManyWorker(NumberWorker):
    """Publishes more results for its item than the queue of results holds."""

    def process(self, number: int) -> None:
        for part in range(50):
            self.publish_func({"number": np.array([number * 50 + part])})


def test_a_full_queue_of_results_holds_its_worker_back_and_does_not_hold_up_the_stop() -> None:
    before = threading.active_count()
    pool = compat.ThreadPool(1, results_queue_size=7)
    pool.start(ManyWorker, None, ventilator=ListVentilator(pool.ventilate, [0, 1]))
    assert pool.get_results()["number"].tolist() == [0]
    deadline = time.monotonic() + 60
    while pool.results_qsize() < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert pool.results_qsize() == 7
    pool.stop()
    pool.join()
    assert threading.active_count() == before


class BareReader(compat.Reader):
    """What our reader sets of Petastorm's, and nothing else: its constructor is not called."""

    def __init__(self, items: list[int]) -> None:
        self.schema = compat.Unischema("s", [compat.UnischemaField("number", np.int64, (), None, False)])
        self.ngram = None
        self.last_row_consumed = self.stopped = False
        self._results_queue_reader = NumberWorker.new_results_queue_reader()
        self._workers_pool, self.ventilator = start(items)


def test_the_streaming_half_of_the_reader_works_without_its_constructor() -> None:
    reader = BareReader(list(range(12)))
    assert [int(row.number[0]) for row in reader] == list(range(12))
    assert reader.last_row_consumed
    reader.stop()
    reader.join()
    with pytest.raises(RuntimeError, match="has stopped"):
        next(reader)


class NotingVentilator(ListVentilator):
    """Notes what the pool says was processed."""

    processed = 0

    def processed_item(self) -> None:
        self.processed += 1
        super().processed_item()


class NotingWorker(NumberWorker):
    """Notes what it works on, and in which thread."""

    seen: ClassVar[list[tuple[int, int]]] = []

    def process(self, number: int) -> None:
        self.seen.append((number, threading.get_ident()))
        super().process(number)


def start_without_threads(items: list[int]) -> tuple[Any, NotingVentilator]:
    NotingWorker.seen.clear()
    pool = compat.DummyPool()
    ventilator = NotingVentilator(pool.ventilate, items)
    pool.start(NotingWorker, None, ventilator=ventilator)
    return pool, ventilator


def test_without_threads_an_item_is_worked_on_when_its_result_is_asked_for() -> None:
    pool, ventilator = start_without_threads(list(range(30)))
    for number in range(5):
        assert NotingWorker.seen == [(each, threading.get_ident()) for each in range(number)]
        assert pool.get_results()["number"].tolist() == [number]
    assert drain(pool) == list(range(5, 30))
    assert ventilator.processed == 30
    assert ventilator.in_flight == 0
    pool.stop()
    pool.join()


def test_without_threads_an_error_reaches_the_consumer_as_it_is() -> None:
    pool, _ = start_without_threads([0, -7, 3])
    assert pool.get_results()["number"].tolist() == [0]
    with pytest.raises(RuntimeError, match="bad item -7"):
        pool.get_results()


def test_without_threads_no_items_are_no_results() -> None:
    pool, _ = start_without_threads([])
    assert drain(pool) == []
