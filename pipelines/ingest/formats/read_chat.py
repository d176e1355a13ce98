"""Chats: one object a line with its turns, in the forms that instruction data sets have.

In this order of precedence: `messages` or `conversations`, a list of turns with `role` and `content` or with
`from` and `value`; `prompt` with `response` or `completion`; `instruction`, perhaps `input`, with `output`.
A chat has to be whole: one turn that cannot be kept costs the chat, as the next ones would answer nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.record import Document, Fault
from pipelines.files.record import repair as storable
from pipelines.ingest.formats.fields import Place, fault_at, json_type, to_document
from pipelines.ingest.formats.read_jsonl import read_objects
from pipelines.text.blank import is_blank
from ringlake.base.chat import ROLES, looks_like_role, write_chat

_LISTS = ("messages", "conversations")

# Names of question, further input and answer; the first two that are there decide.
_COLUMNS = (
    ("prompt", None, "response"),
    ("prompt", None, "completion"),
    ("instruction", "input", "output"),
)

_OTHER_NAMES = {"human": "user", "gpt": "assistant"}
"""ShareGPT's names of roles."""


class _Unusable(Exception):
    """A chat cannot be kept."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def read_chat(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The chats of a JSONL stream, and a fault for each line that holds none; raises as `read_jsonl` does."""
    return read_objects(stream, config, chat_document)


def chat_document(record: Mapping[str, Any], place: Place, config: IngestConfig) -> Document | Fault:
    """The document of an object that holds a chat, or why there is none.

    Args:
        record: The object of a line.
        place: Where it lies.
        config: Names of the fields beside the turns, and the limit on each of them.
    """
    try:
        turns = [(role, *_settled(content)) for role, content in _turns(record)]
    except _Unusable as unusable:
        return fault_at(place, unusable.reason, unusable.detail)
    text = write_chat((role, content) for role, content, _ in turns)
    found = to_document({**record, config.text_field: text}, place, config)
    if isinstance(found, Fault):
        return found
    return replace(found, kind="chat", repaired=found.repaired or any(changed for *_, changed in turns))


def _turns(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    for name in _LISTS:
        if name in record:
            turns = _listed(record[name], name)
            break
    else:
        turns = _in_columns(record)
    if not any(role == "assistant" for role, _ in turns):
        raise _Unusable("no_assistant_turn", f"none of its {len(turns):,} turns is the assistant's")
    return turns


def _listed(given: Any, name: str) -> list[tuple[str, str]]:
    if not isinstance(given, list):
        detail = f"the field {name!r} has the type {json_type(given)}, not array"
        raise _Unusable("messages_not_list", detail)
    if not given:
        raise _Unusable("no_messages", f"the list {name!r} is empty")
    turns = []
    for number, message in enumerate(given, 1):
        where = f"turn {number:,}"
        if not isinstance(message, dict):
            detail = f"{where} has the type {json_type(message)}, not object"
            raise _Unusable("message_not_object", detail)
        role = message.get("role", message.get("from"))
        known = _OTHER_NAMES.get(role, role) if isinstance(role, str) else None
        if known not in ROLES:
            shown = repr(role)[:80] if isinstance(role, str) else json_type(role)
            detail = f"{where} has the role {shown}; known are {', '.join((*ROLES, *_OTHER_NAMES))}"
            raise _Unusable("unknown_role", detail)
        key = "content" if "content" in message else "value"
        turns.append((known, _content(message, key, where)))
    return turns


def _in_columns(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    form = next((form for form in _COLUMNS if form[0] in record and form[2] in record), None)
    if form is None:
        forms = " or ".join(f"{question} and {answer}" for question, _, answer in _COLUMNS)
        detail = f"the object has neither {' nor '.join(_LISTS)}, nor the fields {forms}"
        raise _Unusable("missing_messages", detail)
    question, more, answer = form
    asked = _content(record, question, f"the field {question!r}")
    if more and record.get(more) not in (None, ""):
        asked += "\n\n" + _content(record, more, f"the field {more!r}")
    turns = [("user", asked), ("assistant", _content(record, answer, f"the field {answer!r}"))]
    if record.get("system") not in (None, ""):
        turns.insert(0, ("system", _content(record, "system", "the field 'system'")))
    return turns


def _content(message: Mapping[str, Any], key: str, where: str) -> str:
    """What a turn says: a string, or the texts of a list of parts, joined."""
    content = message.get(key)
    if content is None:
        reason = "content_is_null" if key in message else "missing_content"
        raise _Unusable(reason, f"{where} has no content")
    if isinstance(content, list):
        content = "".join(_part(part, where) for part in content)
    if not isinstance(content, str):
        raise _Unusable("content_not_string", f"{where} has the type {json_type(content)}, not string")
    if is_blank(content):
        detail = f"{where} is empty, or all of it is white space and characters that show nothing"
        raise _Unusable("content_is_blank", detail)
    return content


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else json_type(part)
    if kind != "text":
        raise _Unusable("not_text", f"{where} has a part of the kind {kind!r:.80}; only text can be learned")
    text = part.get("text")
    if not isinstance(text, str):
        raise _Unusable("content_not_string", f"a part of {where} has the type {json_type(text)}, not string")
    return text


def _settled(content: str) -> tuple[str, bool]:
    r"""The content without lines that only repair would make look like a role, and whether it was changed.

    Storage demands that NULs and lone surrogates go. Of a line such as "[user]\r" or "\x1b[1m[user]" repair
    leaves a role, which nothing would have marked as content: such a line is repaired here, and no other.
    """
    content, changed = storable(content)
    if "[" not in content:
        return content, changed
    # Its kernels take half a second and 180 MB of address space, in every worker of every ingest.
    from pipelines.text.repair import repair

    lines = content.split("\n")
    for number, line in enumerate(lines):
        if "[" not in line or (line.isascii() and line.isprintable() and not line.endswith(" ")):
            continue
        repaired = repair(line)[0]
        if repaired != line and any(map(looks_like_role, repaired.split("\n"))):
            lines[number], changed = repaired, True
    return "\n".join(lines), changed
