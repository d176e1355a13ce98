"""A prompt, or the messages of a chat, as token ids: only a template writes special tokens."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from training.inference.folder import Opened
from training.inference.predictor import Refusal, Row, text_of
from training.inference.windows import special_token

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
    ids = [*beginning(opened), *_plain(opened, text)]
    if (spelled := opened.spelled(_plain(opened, text))) is not None:
        return special_token(spelled)
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

    Args:
        opened: Model and tokenizer.
        messages: A list of objects with the texts `role` and `content`.
    """
    checked = _messages(messages)
    if isinstance(checked, Refusal):
        return checked
    if not getattr(opened.tokenizer, "chat_template", None):
        return Refusal("no_chat_template", "the model's tokenizer has no chat template; give a 'prompt'")
    # What the template itself writes shows where each content is a word that nobody else writes.
    words = [uuid.uuid4().hex for _ in checked]
    blank = [{**message, "content": word} for message, word in zip(checked, words, strict=True)]
    try:
        whole, around = (_rendered(opened, item) for item in (checked, blank))
    except Exception as error:  # noqa: BLE001 - a template raises what it likes
        return Refusal("bad_messages", f"the chat template takes no such messages: {_line(error)}")
    ids = _as_template(opened, whole)
    if _specials(opened, ids) == _specials(opened, _as_template(opened, around)):
        return ids
    return _piecewise(opened, around, dict(zip(words, (item["content"] for item in checked), strict=True)))


def _piecewise(opened: Opened, around: str, contents: dict[str, str]) -> list[int] | Refusal:
    """Ids of a rendered template, each content encoded apart: some content spells a special token."""
    ids: list[int] = []
    while contents:
        # In the order in which the template has them; one that it leaves out is none we can put in.
        word = min(contents, key=lambda item: (around.find(item) < 0, around.find(item)))
        before, found, around = around.partition(word)
        if not found:
            return special_token("in a message that the template changes")
        text = _plain(opened, contents.pop(word))
        if (spelled := opened.spelled(text)) is not None:
            return special_token(spelled)
        ids += [*_as_template(opened, before), *text]
    return [*ids, *_as_template(opened, around)]


def _messages(given: Any) -> list[dict[str, str]] | Refusal:
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
        found.append({"role": role, "content": content})
    return found


def _rendered(opened: Opened, messages: list[dict[str, str]]) -> str:
    return str(opened.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _as_template(opened: Opened, text: str) -> list[int]:
    if not text:
        return []
    made = opened.tokenizer(text, add_special_tokens=False, split_special_tokens=False)
    return [int(number) for number in made["input_ids"]]


def _plain(opened: Opened, text: str) -> list[int]:
    if not text:
        return []
    made = opened.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return [int(number) for number in made["input_ids"]]


def _specials(opened: Opened, ids: list[int]) -> list[int]:
    return [number for number in ids if number in opened.special]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
