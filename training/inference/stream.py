"""A text told piece by piece while it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from transformers.generation.streamers import BaseStreamer

from training.inference.draws import cut


class Stream(BaseStreamer):
    """Tells what no later token can change: whole characters, and nothing that may begin a stop string.

    The pieces, one after another, are the text that is given back at the end.

    Args:
        tokenizer: The tokenizer.
        stop: Strings that end the text and are no part of it.
        tell: Is given each piece.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str], tell: Callable[[str], None]) -> None:
        self._tokenizer, self._stop, self._tell = tokenizer, tuple(stop), tell
        self._ids: list[int] = []
        self._told = 0
        self._has_prompt = False

    def put(self, value: Any) -> None:
        """Takes the prompt first, then one token after another."""
        if not self._has_prompt:
            self._has_prompt = True
            return
        self._ids += value.flatten().tolist()
        text = self._text()
        # A character of several tokens is none until its last one is there.
        self._send(text[: len(text.rstrip("\ufffd")) - self._held(text)])

    def end(self) -> None:
        """Tells the rest."""
        self._send(self._text())

    def _text(self) -> str:
        return cut(str(self._tokenizer.decode(self._ids, skip_special_tokens=True)), self._stop)

    def _held(self, text: str) -> int:
        """Characters at the end that may be the beginning of a stop string."""
        longest = max((len(stop) - 1 for stop in self._stop), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stop):
                return length
        return 0

    def _send(self, text: str) -> None:
        if len(text) > self._told:
            self._tell(text[self._told :])
            self._told = len(text)
