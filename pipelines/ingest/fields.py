"""A record of named fields becomes a document: one law for JSONL, CSV, TSV and Parquet.

The text, and the other side of a pair if `ingest.target_field` names one, must be strings: nothing is
converted in silence. Id, address and metadata may be of any type, because they name a document and are
not learned from: strings stay as they are, null is nothing, others become compact JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conf.data import IngestConfig
from pipelines.ingest.decompress import too_large
from pipelines.ingest.record import Document, Fault, excerpt, repair


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
    sides = {"text": config.text_field} | ({"target": config.target_field} if config.target_field else {})
    for side, field in sides.items():
        fault = _wrong_text(record, side, field, place)
        if fault is not None:
            return fault
    values = {side: record[field] for side, field in sides.items()}
    values["id"] = value_as_text(record.get(config.id_field))
    values["url"] = value_as_text(record.get(config.url_field))
    metadata = {name: value_as_text(record.get(name)) for name in config.metadata_fields}
    repaired = False
    for part, name in [*((values, name) for name in values), *((metadata, name) for name in metadata)]:
        value = part[name]
        if value is None:
            continue
        text, changed = repair(value)
        size = len(text.encode())
        if size > config.max_document_bytes:
            return _too_large(name, size, place, config)
        part[name] = text
        repaired |= changed
    return Document(
        offset=place.offset,
        source_id=values["id"],
        kind="pair" if config.target_field else "record",
        text=values["text"],
        repaired=repaired,
        url=values["url"],
        target=values.get("target"),
        metadata={name: value for name, value in metadata.items() if value is not None},
    )


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
}


def missing(side: str) -> str:
    """The reason that a record or a whole file has no 'text' or 'target'."""
    return _WRONG_TEXTS[side][0]


def not_string(side: str) -> str:
    """The reason that a 'text' or 'target' is no string."""
    return _WRONG_TEXTS[side][2]


def _wrong_text(record: Mapping[str, Any], side: str, field: str, place: Place) -> Fault | None:
    lacking, is_null, wrong_type = _WRONG_TEXTS[side]
    if field not in record:
        return fault_at(place, lacking, f"the record has no field {field!r} (ingest.{side}_field)")
    value = record[field]
    if isinstance(value, str):
        return None
    detail = f"the field {field!r} has the type {json_type(value)}, not string"
    return fault_at(place, is_null if value is None else wrong_type, detail)


def _too_large(name: str, size: int, place: Place, config: IngestConfig) -> Fault:
    raw = place.raw if isinstance(place.raw, bytes) else place.raw[:1000].encode("utf-8", "replace")
    fault = too_large(name, place.offset, size, config.max_document_bytes, "max_document_bytes", raw)
    return Fault(fault.offset, fault.reason, fault.detail, fault.excerpt, place.line)
