"""Chats about what Python files define: a question with name and signature, the docstring's first sentence.

Nothing is imported or run: names, signatures and docstrings are read from the syntax tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import BinaryIO

import xxhash

from conf.ingest import IngestConfig
from pipelines.files.record import Document, Fault, Skipped
from pipelines.ingest.formats.first_sentence import first_sentence
from pipelines.ingest.formats.python_definitions import (
    MAX_NAME_CHARS,
    Definition,
    cleandoc,
    definitions,
    module_name,
)
from pipelines.ingest.formats.python_docs import as_document, long_name, read_limited
from pipelines.ingest.formats.python_signature import signature
from pipelines.ingest.formats.python_source import PythonSource, parse, without_collector
from pipelines.text.blank import is_blank
from ringlake.base.chat import write_chat

Question = tuple[str, ...]
"""What is asked, `{call}` and `{name}` to be filled in; behind the answer, perhaps, how it is called."""

HOW = "How is it called?"
"""The second question of a chat that has one; its answer is the signature."""

_CALLED: tuple[Question, ...] = (
    ("What does {call} do?",),
    ("Explain {call} in one sentence.",),
    ("What is {name} for?",),
    ("I came across {call} in a program. What does it do?",),
    ("What does {name} do?", HOW),
)
_CLASSES: tuple[Question, ...] = (
    ("What is the class {name}?",),
    ("Explain the class {call} in one sentence.",),
    ("What is {call} for?",),
)
_ATTRIBUTES: tuple[Question, ...] = (("What is {name}?",), ("What does the attribute {name} tell?",))
_MODULES: tuple[Question, ...] = (
    ("What is the module {name} for?",),
    ("Describe the module {name} in one sentence.",),
)

_PUBLIC = re.compile(r"(?!_)\w+(?:\.(?!_)\w+)*", re.ASCII)
"""A name that a user of the module would write: none of its parts begins with an underscore."""


def read_definitions(
    stream: BinaryIO, source: str, config: IngestConfig
) -> Iterator[Document | Fault | Skipped]:
    """A chat for each public definition of a Python file whose docstring begins with a sentence.

    The form of the question is chosen by a hash of the qualified name, which is the document's source_id.
    What has no docstring is no record; what has 'no public name', or 'no first sentence', is skipped.

    Raises:
        FileFault: The file is too large, wrongly encoded, or no Python.
    """
    raw = read_limited(stream, config)
    # As for docstrings: a tree has no cycles, and is gone before the collector is on again.
    with without_collector():
        return iter(list(_chats(parse(raw), module_name(source), config)))


def _chats(source: PythonSource, module: str, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    for found in definitions(source.tree, module):
        docstring = found.docstring
        if docstring is None or is_blank(str(docstring.value)):
            continue
        offset = source.offset(docstring)
        if len(found.name) > MAX_NAME_CHARS:
            yield long_name(offset, found.name)
            continue
        # `<locals>` is none either.
        if _PUBLIC.fullmatch(found.name) is None:
            yield Skipped("no public name")
        elif (sentence := first_sentence(cleandoc(str(docstring.value)))) is None:
            yield Skipped("no first sentence")
        else:
            yield as_document(offset, found.name, "chat", write_chat(_turns(found, sentence)), config)


def _turns(found: Definition, sentence: str) -> list[tuple[str, str]]:
    called = signature(found.node, of_class=found.of_class)
    forms = _forms(found.node, called)
    first, *more = forms[xxhash.xxh3_64_intdigest(found.name.encode()) % len(forms)]
    call = found.name + (called or "")
    turns = [("user", first.format(call=call, name=found.name)), ("assistant", sentence)]
    for question in more:
        turns += [("user", question), ("assistant", call)]
    return turns


def _forms(node: ast.AST, called: str | None) -> tuple[Question, ...]:
    if isinstance(node, ast.Module):
        return _MODULES
    if isinstance(node, ast.ClassDef):
        return _CLASSES
    return _ATTRIBUTES if called is None else _CALLED
