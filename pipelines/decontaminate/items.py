"""Reading evaluation sets: JSONL, TSV, plain text and JSON in SQuAD's layout, each within limits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conf.decontaminate import DecontaminateConfig, EvalSet
from pipelines.errors import InputError
from pipelines.files.decompress import actual_compression, compression_of_name, verify
from pipelines.files.record import FileFault, repair
from pipelines.files.stored import Stored

Item = tuple[str, list[str]]
"""An item of an evaluation set: its id and its texts."""

MAX_DEPTH = 32
"""Nesting of JSON that texts are looked for in."""

_JSON_LINES = (".jsonl", ".ndjson", ".json-lines", ".jsonlines")
_TEXT = (".txt", ".text")
_SQUAD_FIELDS = ("context", "question")


def set_names(config: DecontaminateConfig) -> list[str]:
    """The name of each set.

    Raises:
        InputError: Two sets have the same name.
    """
    names = [given.name or Path(given.path).name for given in config.sets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two evaluation sets are called {twice[0]!r}; set decontaminate.sets[].name")
    return names


def files_hash(config: DecontaminateConfig) -> str:
    """Hash of the content of all files; empty without sets. A changed file changes it."""
    if not config.sets:
        return ""
    digest = hashlib.sha256()
    for given in config.sets:
        try:
            with Path(given.path).open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise InputError(
                f"evaluation set {given.path!r} cannot be read ({error.strerror}); correct decontaminate.sets"
            ) from None
    return digest.hexdigest()


def read_items(given: EvalSet, max_bytes: int) -> Iterator[Item]:
    """The items of a set in the order of the file.

    JSONL: a line is an item. TSV: a line is an item; where `fields` are names, the first line has them.
    Text: a line that is not blank is an item. JSON: a question of SQuAD's layout is an item, with its
    context, or an element of a list of objects is. An item whose id is missing is called by its number.

    Args:
        given: The set.
        max_bytes: Largest file in bytes, decompressed.

    Raises:
        InputError: The file is missing, damaged, too large, of another format, or lacks a field.
    """
    stem = compression_of_name(given.path)[0].lower()
    text = _read(given, max_bytes)
    if stem.endswith(_JSON_LINES):
        lines = text.split("\n")
        records = ((number, _json(given, line, number)) for number, line in _filled(lines))
        yield from _records(given, records)
    elif stem.endswith(".tsv"):
        yield from _rows(given, text.split("\n"))
    elif stem.endswith(_TEXT):
        yield from ((str(number), [line]) for number, line in _filled(text.split("\n")))
    elif stem.endswith(".json"):
        yield from _document(given, _json(given, text, 1))
    else:
        raise _problem(given, "its extension is none of .jsonl, .json, .tsv, .txt")


def _read(given: EvalSet, max_bytes: int) -> str:
    try:
        stored = Stored(given.path)
        compression = actual_compression(stored, compression_of_name(given.path)[1])
        with stored.open(compression) as stream:
            content = stream.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise _problem(given, f"it has more than {max_bytes:,} bytes (decontaminate.max_file_bytes)")
        # A stream that was cut short or damaged must not pass for a smaller set.
        verify(stored, compression, max_bytes, max_expansion=max_bytes)
        return content.decode("utf-8-sig")
    except FileFault as error:
        raise _problem(given, error.fault.detail) from None
    except OSError as error:
        raise _problem(given, f"it cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise _problem(given, f"it is not UTF-8 at byte {error.start}") from None


def _filled(lines: list[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _json(given: EvalSet, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _problem(given, f"line {line} is no valid JSON ({error})") from None


def _records(given: EvalSet, records: Iterator[tuple[int, Any]]) -> Iterator[Item]:
    for number, record in records:
        if not isinstance(record, dict):
            raise _problem(given, f"item {number} is no JSON object")
        missing = [name for name in given.fields if name not in record]
        if missing:
            raise _problem(given, f"item {number} has no field {missing[0]!r}; it has {sorted(record)[:20]}")
        names = given.fields or [name for name in record if name != given.id_field]
        key = record.get(given.id_field)
        texts = [text for name in names for text in _strings(record[name], MAX_DEPTH)]
        yield str(number) if key is None else repair(str(key))[0], texts


def _strings(value: Any, depth: int) -> Iterator[str]:
    """Every string in a JSON value; deeper ones than `depth` are left out."""
    if isinstance(value, str):
        yield repair(value)[0]
    elif depth and isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part, depth - 1)


def _rows(given: EvalSet, lines: list[str]) -> Iterator[Item]:
    filled = _filled(lines)
    columns: list[int] | None = None
    key: int | None = None
    if given.fields and all(name.isdecimal() and int(name) for name in given.fields):
        columns = [int(name) - 1 for name in given.fields]
    elif given.fields:
        header = next(filled, (1, ""))[1].rstrip("\r").split("\t")
        missing = [name for name in given.fields if name not in header]
        if missing:
            raise _problem(given, f"its header has no column {missing[0]!r}; it has {header[:20]}")
        columns = [header.index(name) for name in given.fields]
        key = header.index(given.id_field) if given.id_field in header else None
    for number, line in filled:
        cells = line.rstrip("\r").split("\t")
        wanted = range(len(cells)) if columns is None else columns
        if max([*wanted, key or 0], default=0) >= len(cells):
            raise _problem(given, f"line {number} has {len(cells)} columns only")
        yield str(number) if key is None else cells[key], [cells[column] for column in wanted]


def _document(given: EvalSet, value: Any) -> Iterator[Item]:
    if isinstance(value, list):
        yield from _records(given, iter(enumerate(value, start=1)))
        return
    fields = given.fields or _SQUAD_FIELDS
    unknown = sorted(set(fields) - {*_SQUAD_FIELDS, "answers"})
    if unknown:
        raise _problem(given, f"{unknown[0]!r} is no field of SQuAD's layout: context, question, answers")
    try:
        for article in value["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    parts = {"context": paragraph["context"], **question}
                    texts = [text for name in fields for text in _strings(parts.get(name), MAX_DEPTH)]
                    yield repair(str(question["id"]))[0], texts
    except (KeyError, TypeError) as error:
        raise _problem(
            given, f"it is neither a list of objects nor of SQuAD's layout ({type(error).__name__}: {error})"
        ) from None


def _problem(given: EvalSet, detail: str) -> InputError:
    return InputError(f"evaluation set {given.path!r}: {detail}")
