"""One question at a time: whoever asks the model waits until the one before is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

Tell = Callable[[str], None]
"""Takes a piece of a text."""


class _Left(Exception):
    """Nobody waits for the text any more."""


class Turn:
    """The turn of a question: whoever asked may leave it, from any thread, also while it waits."""

    def __init__(self) -> None:
        self._is_left = threading.Event()
        self._has_ended = threading.Event()
        self._future: Future[Any] | None = None

    @property
    def is_left(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._is_left.is_set()

    def leave(self) -> None:
        """Takes the question back, or ends its answer at the next piece."""
        self._is_left.set()
        if self._future is not None:
            self._future.cancel()

    def waits_for(self, future: Future[Any]) -> None:
        """The question was put; a turn that was left before takes it back."""
        self._future = future
        if self.is_left:
            future.cancel()

    def end(self) -> None:
        """All that there will be has been told."""
        self._has_ended.set()

    def wait_for_end(self) -> None:
        """Returns as soon as the turn has ended."""
        self._has_ended.wait()


class Desk:
    """A thread of its own asks the model, so that there is never a second question at once."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._is_closing = threading.Event()

    def ask(self, work: Callable[[], T]) -> T:
        """What `work` gives, after all that was asked before."""
        return self._submit(work).result()

    def stream(self, work: Callable[[Tell], T], turn: Turn) -> Generator[str, None, T | None]:
        """The text that `work` tells, longer each time; then what it gives, None if it was ended before.

        Whoever leaves the turn or closes the generator ends the work at the next piece that it tells; a desk
        that closes does so too.

        Args:
            work: Is given a function that takes the pieces.
            turn: The turn of this question.
        """
        pieces: SimpleQueue[str | None] = SimpleQueue()
        is_closed = threading.Event()

        def tell(piece: str) -> None:
            if turn.is_left or is_closed.is_set() or self._is_closing.is_set():
                raise _Left
            pieces.put(piece)

        future = self._submit(work, tell)
        future.add_done_callback(lambda _: pieces.put(None))
        turn.waits_for(future)
        text = ""
        try:
            while (piece := pieces.get()) is not None:
                text += piece
                # What has come meanwhile is shown together: a page is slower than a small model.
                while not pieces.empty():
                    more = pieces.get()
                    if more is None:
                        pieces.put(None)
                        break
                    text += more
                yield text
            try:
                return None if future.cancelled() else future.result()
            except _Left:
                return None
        finally:
            is_closed.set()
            future.cancel()

    def end_soon(self) -> None:
        """Ends a text that is being written at its next piece."""
        self._is_closing.set()

    def close(self) -> None:
        """Ends what is being written, drops what waits, and waits for the thread."""
        self.end_soon()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        try:
            return self._thread.submit(work, *arguments)
        except RuntimeError:
            if not self._is_closing.is_set():
                raise
            # It is closed already: what is asked now is dropped like what was waiting.
            dropped: Future[T] = Future()
            dropped.cancel()
            dropped.set_running_or_notify_cancel()
            return dropped
