"""A prompt, or the messages of a chat, as token ids: only a template writes special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from training.errors import DataError
from training.inference.folder import Opened
from training.inference.predictor import Refusal, Row, text_of
from training.inference.windows import special_token
from training.models.chat import ChatEncoder, Turn

_ROLE_CHARACTERS = 40


def prompt_ids(opened: Opened, row: Row) -> list[int] | Refusal:
    """Token ids that a causal model goes on from.

    A `prompt` follows the token that begins a text, if the tokenizer puts one there itself, else the
    end-of-document token, as the start of a document does in training. `messages` are put into the chat
    template of the tokenizer.
    """
    if row.get("messages") is not None:
        if row.get("prompt") is not None:
            return Refusal("two_prompts", "the row has both 'prompt' and 'messages'; give one of them")
        return chat_ids(opened, row["messages"])
    text = text_of(row, "prompt", may_be_empty=True)
    if isinstance(text, Refusal):
        return text
    plain = _plain(opened, text)
    if (spelled := opened.spelled(plain)) is not None:
        return special_token(spelled)
    ids = [*beginning(opened), *plain]
    if not ids:
        return Refusal("empty", "an empty prompt needs an end-of-document token, which there is none of")
    return ids


def beginning(opened: Opened) -> list[int]:
    """What stands before a text."""
    begin = opened.tokenizer.bos_token_id
    if begin is not None and begin in opened.tokenizer("")["input_ids"]:
        return [int(begin)]
    return ends(opened)[:1]


def ends(opened: Opened) -> list[int]:
    """The tokens that end a text, the plain one first; some models have several."""
    found: list[int] = []
    for settings in (opened.model.config, opened.model.generation_config):
        given = settings.eos_token_id
        found += given if isinstance(given, list) else [] if given is None else [given]
    return list(dict.fromkeys(found))


def chat_ids(opened: Opened, messages: Any) -> list[int] | Refusal:
    """Token ids of messages in the tokenizer's chat template, up to where the model is to answer.

    They are those of training: the template writes special tokens, and what is said is text.

    Args:
        opened: Model and tokenizer.
        messages: A list of objects with the texts `role` and `content`.
    """
    turns = _turns(messages)
    if isinstance(turns, Refusal):
        return turns
    encoder = _encoder(opened.tokenizer)
    if encoder is None:
        return Refusal("no_chat_template", "the model's tokenizer has no chat template; give a 'prompt'")
    try:
        return [int(number) for number in encoder.encode(turns, asks=True).ids]
    except DataError as error:
        return Refusal("bad_messages", str(error))


@lru_cache(maxsize=1)
def _encoder(tokenizer: Any) -> ChatEncoder | None:
    template = getattr(tokenizer, "chat_template", None)
    if not isinstance(template, str) or not tokenizer.is_fast:
        return None
    return ChatEncoder(
        tokenizer.backend_tokenizer.to_str(), {**tokenizer.special_tokens_map, "chat_template": template}
    )


def _turns(given: Any) -> list[Turn] | Refusal:
    if not isinstance(given, Sequence) or isinstance(given, str | bytes) or not given:
        return Refusal("bad_messages", "'messages' must be a list of objects with 'role' and 'content'")
    found = []
    for number, message in enumerate(given):
        if not isinstance(message, dict):
            return Refusal("bad_messages", f"message {number} is a {type(message).__name__}, not an object")
        role = text_of(message, "role")
        content = text_of(message, "content", may_be_empty=True)
        for part in (role, content):
            if isinstance(part, Refusal):
                return Refusal("bad_messages", f"message {number}: {part.detail}")
        assert isinstance(role, str) and isinstance(content, str)
        if len(role) > _ROLE_CHARACTERS or not role.isidentifier():
            return Refusal("bad_messages", f"message {number}: role {role[:60]!r} is no plain word")
        found.append(Turn(role, content))
    return found


def _plain(opened: Opened, text: str) -> list[int]:
    if not text:
        return []
    made = opened.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return [int(number) for number in made["input_ids"]]
