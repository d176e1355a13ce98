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
from pipelines.ingest.formats.python_source import PythonSource, parse, without_collector
from pipelines.text.blank import is_blank

TOPICS_SOURCE = "pydoc_data/topics.py"

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = frozenset({ast.ClassDef, *_FUNCTIONS})

# Statements whose blocks can hold further definitions, and the names of those blocks.
_BLOCKS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.If: ("body", "orelse"),
    ast.For: ("body", "orelse"),
    ast.AsyncFor: ("body", "orelse"),
    ast.While: ("body", "orelse"),
    ast.With: ("body",),
    ast.AsyncWith: ("body",),
    ast.Try: ("body", "handlers", "orelse", "finalbody"),
    ast.TryStar: ("body", "handlers", "orelse", "finalbody"),
    ast.ExceptHandler: ("body",),
    ast.Match: ("cases",),
    ast.match_case: ("body",),
}

MAX_NAME_CHARS = 500
"""Longest qualified name. Every definition carries those around it, so that names add up to far more than the
file has; the longest of 2,392 modules of packages has 152
characters."""

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
        yield _document(offset, name.group(1) if name else None, "readme", body, config)


def read_page(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """A Markdown or reStructuredText file as one document.

    Raises:
        FileFault: The file is too large or not UTF-8.
    """
    text, offset = _read_utf8(stream, config)
    if not is_blank(text):
        yield _document(offset, None, "page", text.replace("\r\n", "\n"), config)


def module_name(source: str) -> str:
    """The dotted name of a module's source file: `stdlib/json/__init__.py` is `json`."""
    path = source.removesuffix(".py").removesuffix("/__init__")
    for root in ("stdlib/", "site-packages/"):
        path = path.removeprefix(root)
    return path.replace("/", ".")


def _docstrings(source: PythonSource, module: str, config: IngestConfig) -> Iterator[Document | Fault]:
    # A stack instead of recursion: nesting is as deep as a hostile file wants it.
    pending: list[tuple[ast.AST, str]] = [(source.tree, module)]
    while pending:
        node, scope = pending.pop()
        fields = _BLOCKS.get(type(node))
        if fields is None:
            found = _docstring(node)
            if found is not None and not is_blank(text := cleandoc(str(found.value))):
                if len(scope) > MAX_NAME_CHARS:
                    yield _long_name(source.offset(found), scope)
                else:
                    yield _document(source.offset(found), scope, "docstring", text, config)
            fields = ("body",)
            if isinstance(node, _FUNCTIONS):
                scope = f"{scope}.<locals>"
            # What is longer than a name may be is as good as any longer one.
            scope = scope[: MAX_NAME_CHARS + 1]
        inner: list[tuple[ast.AST, str]] = []
        for field in fields:
            for child in getattr(node, field):
                kind = type(child)
                if kind in _DEFINITIONS:
                    inner.append((child, f"{scope}.{child.name}"))
                elif kind in _BLOCKS:
                    inner.append((child, scope))
        pending.extend(reversed(inner))


def cleandoc(text: str) -> str:
    """What `inspect.cleandoc` gives, which takes blank lines off the beginning in quadratic time."""
    lines = text.expandtabs().split("\n")
    rest = [line for line in lines[1:] if line.lstrip()]
    margin = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    lines[0] = lines[0].lstrip()
    lines[1:] = [line[margin:] for line in lines[1:]]
    first, last = 0, len(lines)
    while last > first and not lines[last - 1]:
        last -= 1
    while first < last and not lines[first]:
        first += 1
    return "\n".join(lines[first:last])


def _long_name(offset: int, name: str) -> Fault:
    detail = f"its qualified name has more than {MAX_NAME_CHARS:,} characters"
    return Fault(offset, "too_large", detail, excerpt(name))


def _docstring(node: ast.AST) -> ast.Constant | None:
    body: list[ast.stmt] = getattr(node, "body")  # noqa: B009 - modules, classes and functions have it
    if body and isinstance(first := body[0], ast.Expr):
        value = first.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value
    return None


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
                yield _document(source.offset(key), topic, "topic", cleandoc(text), config)


def _document(
    offset: int, source_id: str | None, kind: str, text: str, config: IngestConfig
) -> Document | Fault:
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
