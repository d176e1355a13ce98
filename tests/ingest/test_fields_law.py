"""The fast reading of records decides as the plain one does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.ingest import IngestConfig
from pipelines.files.record import Document, repair, utf8_length
from pipelines.ingest.formats.fields import Place, to_document, value_as_text
from pipelines.ingest.formats.strict_json import DECODER, parse
from pipelines.text.blank import is_blank

TEXTS = st.text(st.characters(codec=None), max_size=8)
VALUES = st.one_of(
    st.none(), st.integers(), st.floats(), st.booleans(), TEXTS, st.lists(st.integers(), max_size=2)
)
RECORDS = st.dictionaries(st.sampled_from(["text", "target", "label", "id", "url", "a", "b"]), VALUES)
PIECES = [
    "{",
    "}",
    "[",
    "]",
    '"a"',
    '"b"',
    ":",
    ",",
    "1",
    " ",
    "\t",
    "NaN",
    "null",
    '"',
    "\\",
    "x",
    "1" * 5000,
]


def plain(record: dict[str, Any], config: IngestConfig) -> Document | tuple[str, str]:
    """The documented rule, step by step: the document, or the reason of the fault and what it is about."""
    sides = ["text"] + (["target"] if config.target_field else [])
    for side in sides:
        if side not in record:
            return f"missing_{side}", side
        if not isinstance(record[side], str):
            return f"{side}_is_null" if record[side] is None else f"{side}_not_string", side
    if config.label_field and record.get("label") is None:
        return ("label_is_null" if "label" in record else "missing_label"), "label"
    shown = [*sides, "label"] if config.label_field else sides
    values = {
        name: value_as_text(record.get(name)) for name in [*shown, "id", "url", *config.metadata_fields]
    }
    changed = False
    for name, value in values.items():
        if value is not None:
            values[name], now = repair(value)
            changed |= now
            if len(str(values[name]).encode()) > config.max_document_bytes:
                return "too_large", name
            if name in shown and is_blank(str(values[name])):
                return f"{name}_is_blank", name
    metadata = {name: value for name in config.metadata_fields if (value := values[name]) is not None}
    kind = "pair" if config.target_field else "record"
    text = values["text"]
    assert text is not None
    places = (values["url"], values.get("target"))
    return Document(7, values["id"], kind, text, changed, *places, metadata, values.get("label"))


@given(RECORDS, st.booleans(), st.booleans(), st.integers(1, 12))
def test_a_record_becomes_what_the_rule_says(
    record: dict[str, Any], is_pair: bool, has_label: bool, limit: int
) -> None:
    config = IngestConfig(
        target_field="target" if is_pair else None,
        label_field="label" if has_label else None,
        metadata_fields=("a", "b"),
        max_document_bytes=limit,
    )
    found = to_document(record, Place(7, 1, "raw"), config)
    expected = plain(record, config)
    if isinstance(found, Document):
        assert found == expected
    else:
        assert isinstance(expected, tuple)
        assert found.reason == expected[0]
        assert expected[1] in found.detail


@given(TEXTS)
def test_the_length_is_that_of_the_repaired_bytes(text: str) -> None:
    stored = repair(text)[0]
    assert utf8_length(stored) == len(stored.encode())


@given(st.one_of(st.lists(st.sampled_from(PIECES)).map("".join), RECORDS.map(json.dumps)))
def test_json_is_parsed_as_the_decoder_does(text: str) -> None:
    try:
        expected = DECODER.decode(text)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other raises it too
        with pytest.raises(type(error)) as raised:
            parse(text)
        assert str(raised.value) == str(error)
        return
    assert repr(parse(text)) == repr(expected)
