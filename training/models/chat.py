"""Chats as token ids: a tokenizer's template writes what stands around the turns, the turns are text.

A template (Jinja, in the sandbox of `transformers`) is given marks in place of what was said, so that no turn
can spell a special token or anything else that the template writes. What the model is to learn are the turns
of the assistant and the token that ends each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from ringlake.base.chat import ROLES
from training.errors import DataError
from training.models.portable import NAMED, token_text

ASSISTANT = "assistant"
ROLE_TOKENS = tuple(f"<|{role}|>" for role in ROLES)
"""Special tokens of `DEFAULT_TEMPLATE`, for tokenizers that bring no template of their own."""

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""A turn is a token for who speaks, the text, and the token that ends a document."""

_MARK = re.compile("\ue000([0-9]+)\ue001")


class Turn(NamedTuple):
    """One turn of a chat.

    Attributes:
        role: Who speaks, one of `ringlake.base.chat.ROLES`.
        content: What is said.
    """

    role: str
    content: str


class Encoded(NamedTuple):
    """A chat as token ids.

    Attributes:
        ids: int64 (tokens,).
        learned: bool (tokens,): which of them the assistant writes.
    """

    ids: npt.NDArray[np.int64]
    learned: npt.NDArray[np.bool_]


class ChatEncoder:
    """Encodes chats with a tokenizer and its template.

    Args:
        content: Content of tokenizer.json.
        settings: Content of tokenizer_config.json: the special tokens by their parts, and the template.

    Raises:
        DataError: There is no template.
    """

    def __init__(self, content: str, settings: Mapping[str, Any]) -> None:
        # Here and not above: it takes seconds, and who only writes chats needs none of it.
        from transformers import PreTrainedTokenizerFast

        template = settings.get("chat_template")
        if not isinstance(template, str):
            raise DataError(
                "the tokenizer has no chat template; name a file with one in task.chat_template, or take a "
                "tokenizer that was made for chats"
            )
        self._template = template
        named = {name: token for name in NAMED if (token := token_text(settings.get(name))) is not None}
        self._tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(content), **named)
        self._plain, self._special = Tokenizer.from_str(content), Tokenizer.from_str(content)
        for tokenizer in (self._plain, self._special):
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self._plain.encode_special_tokens = True
        self._special.encode_special_tokens = False
        added = self._plain.get_added_tokens_decoder()
        self._specials = {number for number, token in added.items() if token.special}

    def encode(self, turns: Sequence[Turn], *, asks: bool = False) -> Encoded:
        """The ids of a chat: those of the text that the template writes, as the model will be asked.

        Only where a turn spells a special token, which the text as a whole would then have, each turn is
        encoded for itself.

        Args:
            turns: The turns in order.
            asks: Whether the assistant is to speak next: the template's prompt for it is the end.

        Raises:
            DataError: The template does not take these turns, or leaves one out.
        """
        pieces = self._pieces(turns, asks)
        rendered = self._rendered(turns, asks)
        # Some templates take white space off what was said.
        for contents in ([turn.content for turn in turns], [turn.content.strip() for turn in turns]):
            texts = [text if number is None else contents[number] for number, text in pieces]
            if "".join(texts) == rendered:
                whole = self._whole(texts, [number for number, _ in pieces], turns)
                written = [text for number, text in pieces if number is None]
                if self._special_ids(whole.ids.tolist()) == [
                    special for text in written for special in self._special_ids(self._template_ids(text))
                ]:
                    return whole
        return self._apart(pieces, turns)

    def _whole(self, texts: Sequence[str], numbers: Sequence[int | None], turns: Sequence[Turn]) -> Encoded:
        encoding = self._special.encode("".join(texts), add_special_tokens=False)
        ends = np.cumsum([len(text) for text in texts])
        starts = np.array([start for start, _ in encoding.offsets], np.int64)
        ending = [
            number is None and bool(self._special_ids(self._template_ids(text)))
            for number, text in zip(numbers, texts, strict=True)
        ]
        speaks = False
        learned = []
        for number, found in zip(encoding.ids, np.searchsorted(ends, starts, side="right"), strict=True):
            place = min(int(found), len(numbers) - 1)
            turn = numbers[place]
            if turn is not None:
                speaks = turns[turn].role == ASSISTANT
            # Behind a turn the assistant writes all up to the first special token.
            speaks = speaks and (turn is not None or ending[place])
            learned.append(speaks)
            speaks = speaks and not (turn is None and number in self._specials)
        return Encoded(np.array(encoding.ids, np.int64), np.array(learned, bool))

    def _apart(self, pieces: Sequence[tuple[int | None, str]], turns: Sequence[Turn]) -> Encoded:
        ids: list[int] = []
        learned: list[bool] = []
        speaks = False
        for number, text in pieces:
            if number is not None:
                found = self._plain.encode(turns[number].content, add_special_tokens=False).ids
                if self._specials & set(found):
                    raise DataError("a turn would be given a special token of this tokenizer")
                speaks = turns[number].role == ASSISTANT
                marks = [speaks] * len(found)
            else:
                found = self._template_ids(text)
                marks = self._end_of_turn(found) if speaks else [False] * len(found)
                speaks = False
            ids += found
            learned += marks
        return Encoded(np.array(ids, np.int64), np.array(learned, bool))

    def _template_ids(self, text: str) -> list[int]:
        """Ids of what a template writes, special tokens among them."""
        ids: list[int] = self._special.encode(text, add_special_tokens=False).ids
        return ids

    def _special_ids(self, ids: Sequence[int]) -> list[int]:
        return [number for number in ids if number in self._specials]

    def _end_of_turn(self, ids: Sequence[int]) -> list[bool]:
        """What the assistant writes of what follows its turn: all up to the first special token, with it."""
        end = next((place for place, number in enumerate(ids) if number in self._specials), -1)
        return [place <= end for place in range(len(ids))]

    def _pieces(self, turns: Sequence[Turn], asks: bool) -> list[tuple[int | None, str]]:
        marked = [Turn(turn.role, f"\ue000{number}\ue001") for number, turn in enumerate(turns)]
        parts = _MARK.split(self._rendered(marked, asks))
        if [int(number) for number in parts[1::2]] != list(range(len(turns))):
            raise DataError("the chat template leaves a turn out, or changes their order")
        return [
            (int(part) if place % 2 else None, part) for place, part in enumerate(parts) if part or place % 2
        ]

    def _rendered(self, turns: Sequence[Turn], asks: bool) -> str:
        try:
            rendered: Any = self._tokenizer.apply_chat_template(
                [turn._asdict() for turn in turns],
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=asks,
            )
        except Exception as error:  # a template may raise whatever it likes
            raise DataError(
                f"the chat template does not take these turns: {' '.join(str(error).split())[:200]}"
            ) from error
        return str(rendered)
