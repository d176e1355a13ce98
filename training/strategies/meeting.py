"""How the threads of a parameter server wait for each other's workers: all of them, or within a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Brought = TypeVar("Brought")
Joined = TypeVar("Joined")


class Meeting(Generic[Brought, Joined]):
    """All workers that are still there bring something; when the last has come, each gets what it makes.

    Args:
        workers: Who takes part.
        join: Makes the result of what was brought, in order of workers; called once a meeting.
    """

    def __init__(self, workers: Iterable[int], join: Callable[[list[Brought]], Joined]) -> None:
        self._workers = set(workers)
        self._join = join
        self._brought: dict[int, Brought] = {}
        self._results: dict[int, Joined] = {}
        self._changed = threading.Condition()

    def arrive(self, worker: int, brought: Brought) -> Joined:
        """Bring something and wait for the others."""
        with self._changed:
            self._brought[worker] = brought
            self._close_if_complete()
            self._changed.wait_for(lambda: worker in self._results)
            return self._results.pop(worker)

    def leave(self, worker: int) -> None:
        """A worker comes no more; what it has brought to the open meeting still counts."""
        with self._changed:
            self._workers.discard(worker)
            self._close_if_complete()

    def _close_if_complete(self) -> None:
        if self._brought and self._workers <= self._brought.keys():
            joined = self._join([self._brought[worker] for worker in sorted(self._brought)])
            self._results.update(dict.fromkeys(self._brought, joined))
            self._brought = {}
            self._changed.notify_all()


class Clocks:
    """Stale-synchronous parallel clocks (Ho et al., NeurIPS 2013): nobody gets too far ahead.

    Args:
        workers: Who takes part.
        max_staleness: Steps that a worker may be ahead of the slowest one when it starts its next.
    """

    def __init__(self, workers: Iterable[int], max_staleness: int) -> None:
        self._steps = dict.fromkeys(workers, 0)
        self._max_staleness = max_staleness
        self._changed = threading.Condition()

    def tick(self, worker: int) -> None:
        """A worker has finished a step."""
        with self._changed:
            self._steps[worker] += 1
            self._changed.notify_all()

    def wait_for_turn(self, worker: int) -> int:
        """Wait until a worker may start its next step.

        Returns:
            Steps that it is ahead of the slowest, at most `max_staleness`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ahead(worker) <= self._max_staleness)
            return self._ahead(worker)

    def leave(self, worker: int) -> None:
        """A worker comes no more; nobody waits for it."""
        with self._changed:
            del self._steps[worker]
            self._changed.notify_all()

    def _ahead(self, worker: int) -> int:
        return self._steps[worker] - min(self._steps.values())
