"""The documentation in Python files and packages: docstrings, help topics, READMEs, pages.

Nothing is imported or run: docstrings and topics are read from the syntax tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.lines import BOM
from pipelines.files.record import Document, Fault, FileFault, excerpt, repair
from pipelines.files.utf8 import decode
from pipelines.ingest.formats.python_definitions import MAX_NAME_CHARS, cleandoc, definitions, module_name
from pipelines.ingest.formats.python_source import PythonSource, parse, without_collector
from pipelines.text.blank import is_blank

TOPICS_SOURCE = "pydoc_data/topics.py"

_NAME_FIELD = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE)
_BLANK_LINE = re.compile(r"\r?\n\r?\n")
_DESCRIPTION_FIELD = re.compile(r"^Description:[ \t]*((?:.*\n?)(?:[ \t].*\n?)*)", re.MULTILINE)
_CONTINUATION = re.compile(r"^(?: {7}\|| {8})", re.MULTILINE)


def read_python(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The docstrings of a Python file, or the help topics if it is `pydoc_data/topics.py`.

    Docstrings are cleaned as `inspect.cleandoc` does; those of blanks only are no records. A document's
    source_id is its qualified name: package and module, then `__qualname__`.

    Raises:
        FileFault: The file is too large, wrongly encoded, or no Python.
    """
    raw = read_limited(stream, config)
    # Trees have no cycles, and searching their hundred thousands of nodes for some took a third of the time.
    # All records are made before the collector is on again, so that it does not meet the tree at all.
    with without_collector():
        return iter(_records(raw, source, config))


def _records(raw: bytes, source: str, config: IngestConfig) -> list[Document | Fault]:
    module = parse(raw)
    if f"/{source}".endswith(f"/{TOPICS_SOURCE}"):
        return list(_topics(module, config))
    return list(_docstrings(module, module_name(source), config))


def read_metadata(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The description in a package's METADATA or PKG-INFO file, which is its README as a rule.

    Raises:
        FileFault: The file is too large or not UTF-8.
    """
    text, start = _read_utf8(stream, config)
    name = _NAME_FIELD.search(text)
    blank = _BLANK_LINE.search(text)
    body, position = (text[blank.end() :], blank.end()) if blank else ("", len(text))
    if not body.strip() and (field := _DESCRIPTION_FIELD.search(text, 0, position)):
        # Metadata 1.x keeps the description in a header, its lines indented by eight columns.
        body, position = _CONTINUATION.sub("", field.group(1)), field.start(1)
        body = "" if body.strip() == "UNKNOWN" else body
    if not is_blank(body):
        offset = start + len(text[:position].encode())
        yield as_document(offset, name.group(1) if name else None, "readme", body, config)


def read_page(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """A Markdown or reStructuredText file as one document.

    Raises:
        FileFault: The file is too large or not UTF-8.
    """
    text, offset = _read_utf8(stream, config)
    if not is_blank(text):
        yield as_document(offset, None, "page", text.replace("\r\n", "\n"), config)


def _docstrings(source: PythonSource, module: str, config: IngestConfig) -> Iterator[Document | Fault]:
    for found in definitions(source.tree, module):
        docstring = found.docstring
        if docstring is not None and not is_blank(text := cleandoc(str(docstring.value))):
            if len(found.name) > MAX_NAME_CHARS:
                yield long_name(source.offset(docstring), found.name)
            else:
                yield as_document(source.offset(docstring), found.name, "docstring", text, config)


def long_name(offset: int, name: str) -> Fault:
    """The fault of a definition whose qualified name is too long."""
    detail = f"its qualified name has more than {MAX_NAME_CHARS:,} characters"
    return Fault(offset, "too_large", detail, excerpt(name))


def _topics(source: PythonSource, config: IngestConfig) -> Iterator[Document | Fault]:
    for statement in source.tree.body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict)):
            continue
        for key, value in zip(statement.value.keys, statement.value.values, strict=True):
            if key is None:
                continue
            try:
                topic, text = ast.literal_eval(key), ast.literal_eval(value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                yield Fault(source.offset(key), "bad_topic", "a help topic's name or text is no literal")
                continue
            if isinstance(topic, str) and isinstance(text, str) and not is_blank(text):
                yield as_document(source.offset(key), topic, "topic", cleandoc(text), config)


def as_document(
    offset: int, source_id: str | None, kind: str, text: str, config: IngestConfig
) -> Document | Fault:
    """The document of a text that was found at an offset, or that it is too large."""
    repaired, changed = repair(text)
    size = len(repaired.encode())
    if size > config.max_document_bytes:
        head = repaired[:200].encode()
        return too_large(kind, offset, size, config.max_document_bytes, "max_document_bytes", head)
    return Document(offset, repair(source_id)[0] if source_id else None, kind, repaired, changed)


def read_limited(stream: BinaryIO, config: IngestConfig) -> bytes:
    """The whole of a file that may have `ingest.max_source_bytes`; FileFault if it has more."""
    raw = stream.read(config.max_source_bytes + 1)
    if len(raw) > config.max_source_bytes:
        raise FileFault(too_large("file", 0, None, config.max_source_bytes, "max_source_bytes", raw[:200]))
    return raw


def _read_utf8(stream: BinaryIO, config: IngestConfig) -> tuple[str, int]:
    raw = read_limited(stream, config)
    content = raw.removeprefix(BOM)
    text = decode(content, len(raw) - len(content), 1)
    if isinstance(text, Fault):
        raise FileFault(text)
    return text, len(raw) - len(content)
