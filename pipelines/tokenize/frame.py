"""What a tokenizer puts around a text for an encoder: the special tokens of its post-processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tokenizers.processors import TemplateProcessing

from pipelines.tokenize.folder import parse_tokenizer, token_id


@dataclass(frozen=True)
class Keys:
    """What messages call a tokenizer, and the keys of a run file that say which it is.

    Attributes:
        name: The tokenizer, in words.
        place: The key that names a folder.
        size: The key of its entries.
        end: The key of the token that ends a document.
    """

    name: str
    place: str
    size: str
    end: str


OF_TEXTS = Keys("tokenizer", "tokenize.tokenizer", "tokenize.vocab_size", "tokenize.end_token")
OF_TARGETS = Keys(
    "target tokenizer", "task.target_tokenizer", "task.target_vocab_size", "task.target_end_token"
)


@dataclass(frozen=True)
class Form:
    """What a task asks of its tokenizer beside the vocabulary.

    Attributes:
        frame: What is put around a text, see `Examples.frame`; None: nothing.
        template: Chat template; None: none, or an adopted tokenizer's own.
        longest: Most tokens of a text that its model is given; None: the tokenizer says.
        keys: What messages call it.
    """

    frame: str | None = None
    template: str | None = None
    longest: int | None = None
    keys: Keys = OF_TEXTS

    @property
    def padding_side(self) -> Literal["left", "right"]:
        """Where texts are padded: at the left for models that go on with a text."""
        return "left" if self.frame is None else "right"

    def settings(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The tokenizer_config.json of an adopted tokenizer, or of a new one, with what this says."""
        settings = dict(given or {})
        if self.template is not None:
            settings["chat_template"] = self.template
        if self.longest is not None:
            told = settings.get("model_max_length")
            settings["model_max_length"] = min(self.longest, told) if isinstance(told, int) else self.longest
        return settings


PLAIN = Form()
"""What a language model asks: nothing."""


def framed(content: str, frame: str, end: str) -> str:
    """A tokenizer.json that frames a text; one that brings a frame of its own keeps it.

    Args:
        content: The tokenizer.json.
        frame: See `Examples.frame`.
        end: The token that ends a document.
    """
    tokenizer = parse_tokenizer(content, "the tokenizer")
    if tokenizer.num_special_tokens_to_add(False):
        return content
    single = frame.replace("END", end)
    tokenizer.post_processor = TemplateProcessing(
        single=single,
        pair=f"{single} {single.replace('$A', '$B').removeprefix(end).strip()}",
        special_tokens=[(end, token_id(tokenizer, end, "the tokenizer"))],
    )
    made: str = tokenizer.to_str()
    return made
