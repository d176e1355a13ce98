"""Examples of chats: all turns, of which those of the assistant are to be learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.tokenize.examples import ExampleMaker, Refusal, Row, Words
from pipelines.tokenize.tasks import Examples
from ringlake.base.chat import ROLES, read_chat
from training.errors import DataError
from training.models.chat import ASSISTANT, DEFAULT_TEMPLATE, ROLE_TOKENS, ChatEncoder, Turn


class Chats(ExampleMaker):
    """A chat as the tokenizer's template writes it.

    Args:
        content: See `ExampleMaker`.
        max_tokens: See `ExampleMaker`.
        settings: Content of tokenizer_config.json, with the template.
    """

    def __init__(self, content: str, max_tokens: int, settings: Mapping[str, Any]) -> None:
        super().__init__(content, max_tokens)
        self._encoder = ChatEncoder(content, settings)

    def make(self, rows: Sequence[Row]) -> list[Words | Refusal]:
        """An example, or why there is none, for each row."""
        return [self._example(row) for row in rows]

    def _example(self, row: Row) -> Words | Refusal:
        try:
            turns = [Turn(*turn) for turn in read_chat(row.text)]
        except ValueError as error:
            return Refusal("no_chat", str(error))
        if unknown := [turn.role for turn in turns if turn.role not in ROLES]:
            return Refusal("unknown_role", f"role {unknown[0]!r} is none of {', '.join(ROLES)}")
        if not any(turn.role == ASSISTANT and turn.content.strip() for turn in turns):
            return Refusal("no_assistant_turn", "the assistant says nothing, so there is nothing to learn")
        try:
            found = self._encoder.encode(turns)
        except DataError as error:
            return Refusal("template", str(error))
        return self.marked(found.ids.astype(np.uint32), found.learned)


EXAMPLES = Examples(
    Chats,
    None,
    arguments=lambda _config, _facts, settings: {"settings": dict(settings)},
    special_tokens=ROLE_TOKENS,
    template=DEFAULT_TEMPLATE,
)
