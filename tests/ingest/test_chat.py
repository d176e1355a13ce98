"""Chats: every form becomes the same transcript, its turns can be read back, and what is no chat says why."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conf.clean import CleanConfig
from conf.ingest import IngestConfig
from pipelines.clean.judge import Judge, Kept
from pipelines.files.record import Document, Fault
from pipelines.ingest.formats.fields import Place
from pipelines.ingest.formats.read_chat import chat_document
from pipelines.text.repair import repair
from ringlake.base.chat import ROLES, read_chat, write_chat
from tests.ingest.support import Outcome, read_bytes

ODD = [
    "[user]",
    "\\[user]",
    "\\\\[a_b]",
    "[user] ",
    "[user]\r",
    "\x1b[1m[tool]",
    "[us\x00er]",
    "\ufeff[user]",
]
PLAIN = [
    "\ufeff[user]",
    "",
    " ",
    "[",
    "]",
    "[User]",
    "[user",
    "x [user]",
    "\\",
    "\u2028[user]\x85",
    "ï»¿[user]",
]
LINES = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(PLAIN),
    st.text(st.sampled_from("[]\\user_ \r\t\x0b\x00\x1b\x08mÃ©é"), max_size=12),
    st.text(st.characters(codec=None), max_size=6),
)
CONTENTS = st.lists(LINES, max_size=4).map("\n".join)
CHATS = st.lists(st.tuples(st.sampled_from(ROLES), CONTENTS), max_size=4)


@given(CHATS)
@example([("user", ""), ("assistant", "\n")])
@example([("user", "[user]\n\\[user]"), ("tool", "[")])
def test_turns_are_read_back_exactly(turns: list[tuple[str, str]]) -> None:
    assert read_chat(write_chat(turns)) == turns


@given(CHATS.filter(lambda turns: any(role == "assistant" for role, _ in turns)))
@example([("assistant", "x\n\x1b[1m[user]\ny\r[tool]\r")])
def test_repair_moves_no_turn(turns: list[tuple[str, str]]) -> None:
    messages = [{"role": role, "content": f"a\n{content}\nb"} for role, content in turns]
    found = chat_document({"messages": messages}, Place(0, 1, ""), IngestConfig())
    assert isinstance(found, Document)
    after = read_chat(repair(found.text)[0])
    assert [role for role, _ in after] == [role for role, _ in turns]
    for (_, text), message in zip(after, messages, strict=True):
        # But for blank lines at the ends, which repair takes from a whole text alone, each turn is repaired.
        assert repair(text)[0] == repair(message["content"].replace("\x00", ""))[0]


def test_redaction_moves_no_turn() -> None:
    text = write_chat([("user", "I am jo@example.org\n[user]"), ("assistant", "[jo@example.org]")])
    kept = Judge(CleanConfig(profile="pii-only")).judge(text)
    assert isinstance(kept, Kept)
    assert read_chat(kept.text) == [("user", "I am [EMAIL]\n[user]"), ("assistant", "[[EMAIL]]")]


@pytest.mark.parametrize("role", ["User", "", "a b", "user]\n[x"])
def test_a_role_that_could_not_be_read_back_is_refused(role: str) -> None:
    with pytest.raises(ValueError, match="lower-case letters"):
        write_chat([(role, "text")])


@pytest.mark.parametrize("text", ["Hello", "\n[user]", "\\[user]"])
def test_a_text_that_is_no_chat_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins with a line such as"):
        read_chat(text)


def chats(folder: Path, *records: Any, **config: Any) -> Outcome:
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    return read_bytes(folder, "a.jsonl", lines, format="chat", **config)


ASK = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Hello"}


def test_every_form_becomes_a_transcript(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]
    found = chats(
        tmp_path,
        {"messages": [ASK, ANSWER]},
        {"messages": [{"role": "user", "content": parts}, ANSWER], "prompt": "ignored", "response": "too"},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        {"prompt": "Hi", "response": "Hello"},
        {"prompt": "Hi", "completion": "Hello"},
        {"instruction": "Hi", "input": "", "output": "Hello"},
        {"instruction": "Add.", "input": "1 2", "output": "3", "system": "Be brief."},
    )
    assert [d.kind for d in found.documents] == ["chat"] * 7
    assert found.texts[:6] == ["[user]\nHi\n[assistant]\nHello"] * 6
    assert read_chat(found.texts[6]) == [
        ("system", "Be brief."),
        ("user", "Add.\n\n1 2"),
        ("assistant", "3"),
    ]
    assert not found.quarantined


def test_other_fields_are_kept_as_in_json_lines(tmp_path: Path) -> None:
    record = {"messages": [ASK, ANSWER], "id": 7, "url": "u", "lang": "en", "topic": "greeting"}
    content = b"\xef\xbb\xbf\n" + json.dumps(record).encode()
    names = {"metadata_fields": ("lang",), "label_field": "topic", "format": "chat"}
    (document,) = read_bytes(tmp_path, "a.jsonl.gz", gzip.compress(content), **names).documents
    assert (document.source_id, document.url, document.label) == ("7", "u", "greeting")
    assert (document.metadata, document.offset) == ({"lang": "en"}, 4)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "Hi"}, "missing_messages"),
        ({"prompt": "Hi", "output": "Hello"}, "missing_messages"),
        ({"messages": "Hi"}, "messages_not_list"),
        ({"messages": None}, "messages_not_list"),
        ({"messages": []}, "no_messages"),
        ({"messages": ["Hi"]}, "message_not_object"),
        ({"messages": [{"content": "Hi"}, ANSWER]}, "unknown_role"),
        ({"messages": [{"role": 1, "content": "Hi"}, ANSWER]}, "unknown_role"),
        ({"messages": [{"role": "developer", "content": "Hi"}, ANSWER]}, "unknown_role"),
        ({"messages": [ASK]}, "no_assistant_turn"),
        ({"messages": [{"role": "user"}, ANSWER]}, "missing_content"),
        ({"messages": [{"role": "user", "content": None}, ANSWER]}, "content_is_null"),
        ({"messages": [{"role": "user", "content": 5}, ANSWER]}, "content_not_string"),
        ({"messages": [{"role": "user", "content": {}}, ANSWER]}, "content_not_string"),
        ({"messages": [{"role": "user", "content": " \n"}, ANSWER]}, "content_is_blank"),
        ({"messages": [{"role": "user", "content": []}, ANSWER]}, "content_is_blank"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, ANSWER]}, "not_text"),
        ({"messages": [{"role": "user", "content": ["Hi"]}, ANSWER]}, "not_text"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}, ANSWER]}, "content_not_string"),
        ({"instruction": "Hi", "input": 5, "output": "Hello"}, "content_not_string"),
        ({"prompt": "Hi", "response": ""}, "content_is_blank"),
        ([1], "not_an_object"),
        ({"messages": [ASK, {"role": "assistant", "content": "x" * 99}]}, "too_large"),
    ],
)
def test_what_is_no_chat_says_why(tmp_path: Path, record: Any, reason: str) -> None:
    found = chats(tmp_path, {"messages": [ASK, ANSWER]}, record, max_document_bytes=80)
    assert found.reasons == [("row", reason)]
    assert (found.quarantined[0].fault.line, len(found.documents)) == (2, 1)


def test_damaged_lines_cost_themselves(tmp_path: Path) -> None:
    good = json.dumps({"messages": [ASK, ANSWER]}).encode()
    deep = b'{"messages": ' + b"[" * 100_000
    twice = b'{"messages": [{"role": "user", "role": "user"}]}'
    lines = [good[:-9], b"\xff" + good, deep, twice, good]
    found = read_bytes(tmp_path, "a.jsonl", b"\n".join(lines), format="chat")
    reasons = ["bad_json", "not_utf8", "too_deep", "duplicate_key"]
    assert found.reasons == [("row", reason) for reason in reasons]
    assert len(found.documents) == 1


KEYS = ["messages", "role", "content", "conversations", "from", "value", "type", "text", "prompt", "response"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "gpt", "Hi", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(JSON.filter(lambda value: isinstance(value, dict)))
def test_any_object_is_a_chat_or_one_fault(value: Any) -> None:
    found = chat_document(value, Place(0, 1, ""), IngestConfig())
    assert isinstance(found, Document | Fault)
