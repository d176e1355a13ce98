"""Whose text is being written: an open page can end its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.demo.desk import Turn


class Turns:
    """The turn that each open page waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, Turn] = {}

    @contextmanager
    def of(self, page: str) -> Iterator[Turn]:
        """A turn of a page, until its text has ended.

        Args:
            page: Key of the page; a page has one turn at a time.
        """
        turn = Turn()
        with self._lock:
            before = self._turns.get(page)
            self._turns[page] = turn
        if before is not None:
            before.leave()
        try:
            yield turn
        finally:
            with self._lock:
                if self._turns.get(page) is turn:
                    del self._turns[page]
            turn.end()

    def leave(self, page: str) -> None:
        """Ends the turn of a page, if it has one, and returns when it has ended."""
        with self._lock:
            turn = self._turns.get(page)
        if turn is not None:
            turn.leave()
            turn.wait_for_end()
