"""A record of named fields becomes a document: one law for JSONL, CSV, TSV and Parquet.

The text, and the other side of a pair if `ingest.target_field` names one, must be strings: nothing is
converted in silence. Id, address and metadata may be of any type, because they name a document and are
not learned from: strings stay as they are, null is nothing, others become compact JSON. So do labels, whose
classes are often numbers; but a record without one is a fault if `ingest.label_field` names the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.record import Document, Fault, excerpt, repair, utf8_length
from pipelines.text.blank import is_blank


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies, for its document or its fault.

    Attributes:
        offset: Byte offset in the decompressed file; in Parquet the row's number from 0.
        line: Its first line, from 1, where the format has lines.
        raw: Its first characters or bytes, for the excerpt.
    """

    offset: int
    line: int | None
    raw: str | bytes


def to_document(record: Mapping[str, Any], place: Place, config: IngestConfig) -> Document | Fault:
    """The document of a record, or why there is none.

    Args:
        record: Values by field name; a field that is not there differs from one that is null.
        place: Where the record lies.
        config: Names of the fields, and the limit on each of them.
    """
    text = record.get(config.text_field)
    if not isinstance(text, str):
        return _wrong_text(record, "text", config.text_field, place)
    target = None
    if config.target_field:
        target = record.get(config.target_field)
        if not isinstance(target, str):
            return _wrong_text(record, "target", config.target_field, place)
    if config.label_field and record.get(config.label_field) is None:
        return _wrong_text(record, "label", config.label_field, place)
    given = [("text", text), ("target", target)]
    others: list[tuple[str, str | None]] = [
        ("label", config.label_field),
        ("id", config.id_field),
        ("url", config.url_field),
    ]
    others += [(name, name) for name in config.metadata_fields]
    try:
        given += [(name, value_as_text(record.get(field)) if field else None) for name, field in others]
    except (RecursionError, ValueError) as error:
        return fault_at(place, "too_deep", f"a field cannot be written as JSON: {error!s:.200}")
    is_repaired = False
    stored: list[str | None] = []
    for name, value in given:
        if value is not None:
            value, changed = repair(value)  # noqa: PLW2901 - the loop runs for every value of every record
            is_repaired |= changed
            size = utf8_length(value)
            if size > config.max_document_bytes:
                return _too_large(name, size, place, config)
            if len(stored) < 3 and is_blank(value):  # the two sides and the label come first
                detail = f"its {name} is empty, or all of it is white space and characters that show nothing"
                return fault_at(place, blank(name), detail)
        stored.append(value)
    kept_text, target, label, source_id, url, *rest = stored
    assert kept_text is not None
    metadata = {
        name: value for name, value in zip(config.metadata_fields, rest, strict=True) if value is not None
    }
    kind = "pair" if config.target_field else "record"
    return Document(place.offset, source_id, kind, kept_text, is_repaired, url, target, metadata, label)


def value_as_text(value: Any) -> str | None:
    """A JSON value as text: strings as they are, null as None, others as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fault_at(place: Place, reason: str, detail: str) -> Fault:
    """A fault of the record at a place."""
    return Fault(place.offset, reason, detail, excerpt(place.raw[:1000]), place.line)


def json_type(value: Any) -> str:
    """What JSON calls a value's type."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), type(value).__name__)


_WRONG_TEXTS: dict[str, tuple[str, str, str]] = {
    "text": ("missing_text", "text_is_null", "text_not_string"),
    "target": ("missing_target", "target_is_null", "target_not_string"),
    "label": ("missing_label", "label_is_null", "label_not_string"),
}


def blank(side: str) -> str:
    """The reason that a 'text', 'target' or 'label' shows nothing."""
    return f"{side}_is_blank"


def missing(side: str) -> str:
    """The reason that a record or a whole file has no 'text', 'target' or 'label'."""
    return _WRONG_TEXTS[side][0]


def not_string(side: str) -> str:
    """The reason that a 'text' or 'target' is no string."""
    return _WRONG_TEXTS[side][2]


def _wrong_text(record: Mapping[str, Any], side: str, field: str, place: Place) -> Fault:
    lacking, is_null, wrong_type = _WRONG_TEXTS[side]
    if field not in record:
        return fault_at(place, lacking, f"the record has no field {field!r} (ingest.{side}_field)")
    value = record[field]
    if value is None:
        return fault_at(place, is_null, f"the field {field!r} (ingest.{side}_field) is null")
    detail = f"the field {field!r} has the type {json_type(value)}, not string"
    return fault_at(place, wrong_type, detail)


def _too_large(name: str, size: int, place: Place, config: IngestConfig) -> Fault:
    raw = place.raw if isinstance(place.raw, bytes) else place.raw[:1000].encode("utf-8", "replace")
    fault = too_large(name, place.offset, size, config.max_document_bytes, "max_document_bytes", raw)
    return Fault(fault.offset, fault.reason, fault.detail, fault.excerpt, place.line)
