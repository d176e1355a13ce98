"""Chats about Python's definitions: who is asked about, how it is called, what the first sentence is."""

from __future__ import annotations

import ast
import inspect
import json.decoder
import shutil
import sys
import textwrap
import time
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from conf.ingest import IngestConfig
from pipelines.files.record import Document
from pipelines.ingest.discover import discover
from pipelines.ingest.formats.first_sentence import first_sentence
from pipelines.ingest.formats.python_signature import signature
from pipelines.ingest.read_file import read_file
from ringlake.base.chat import read_chat
from tests.ingest.support import Outcome, read_bytes

MODULE = '''"""Tools for the shop.  They are small.

More."""
raise SystemExit("nobody may import this")

class Basket(dict):
    """A basket of goods, e.g. of
    fruit.  It has a price."""
    def __init__(self, goods=(), *, limit: int = 10, **more): "Makes a basket of goods."
    def add(self, good, /, number=1): "Add one good to the basket."
    @property
    def price(self): "Price of all the goods."
    @staticmethod
    def of(text): "Read a basket from a text."
    def _check(self): "Private things are left out."
    class Part: "One of several parts of it."
async def sell(basket, to=None):
    """sell(basket, to=None) -> Bill

    Sell all that is in a basket!"""
    def inner(): "What nobody can reach."
def short(): "Too short"
def heading():
    """Return values of it:

    a, b"""
def none(): pass
'''


def chats(folder: Path, content: str, name: str = "shop.py", **config: Any) -> Outcome:
    return read_bytes(folder, name, content.encode(), format="python-chats", **config)


def test_each_public_definition_with_a_sentence_is_a_chat(tmp_path: Path) -> None:
    found = chats(tmp_path, MODULE)
    turns = {str(d.source_id): read_chat(d.text) for d in found.documents}
    assert {name: said[1] for name, said in turns.items()} == {
        "shop": ("assistant", "Tools for the shop."),
        "shop.Basket": ("assistant", "A basket of goods, e.g. of fruit."),
        "shop.Basket.add": ("assistant", "Add one good to the basket."),
        "shop.Basket.price": ("assistant", "Price of all the goods."),
        "shop.Basket.of": ("assistant", "Read a basket from a text."),
        "shop.Basket.Part": ("assistant", "One of several parts of it."),
        "shop.sell": ("assistant", "Sell all that is in a basket!"),
    }
    for name, said in turns.items():
        assert said[0][0] == "user"
        assert name in said[0][1]
    assert {d.kind for d in found.documents} == {"chat"}
    assert found.summary.skipped == {"no public name": 3, "no first sentence": 2}
    assert found.summary.records == 7
    for document in found.documents:
        assert MODULE.encode()[document.offset :].startswith((b'"""', b'"'))


def test_the_same_name_is_asked_about_in_the_same_way(tmp_path: Path) -> None:
    first = chats(tmp_path, MODULE)
    again = chats(tmp_path, "\n\n" + MODULE)
    assert first.texts == again.texts
    names = "\n".join(f'def f{number}(a): "Do thing number {number} to it."' for number in range(60))
    asked = [read_chat(text) for text in chats(tmp_path, names, "many.py").texts]
    forms = {said[0][1].split("many")[0] for said in asked}
    assert len(forms) >= 4
    answers = [said[3] for said in asked if len(said) == 4]
    assert answers
    assert all(role == "assistant" and call.endswith("(a)") for role, call in answers)


def functions() -> list[FunctionType]:
    modules = (shutil, textwrap, json.decoder, ast)
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    ]


def parameters(given: ast.arguments) -> list[tuple[str, str, bool]]:
    """Name and kind of each parameter, and whether it has a default."""
    positional = [*given.posonlyargs, *given.args]
    without = len(positional) - len(given.defaults)
    kinds = ["positional-only"] * len(given.posonlyargs) + ["positional or keyword"] * len(given.args)
    found = [
        (one.arg, kind, n >= without) for n, (one, kind) in enumerate(zip(positional, kinds, strict=True))
    ]
    found += [(given.vararg.arg, "variadic positional", False)] if given.vararg else []
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found += [(one.arg, "keyword-only", default is not None) for one, default in pairs]
    return found + ([(given.kwarg.arg, "variadic keyword", False)] if given.kwarg else [])


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.__name__)
def test_a_signature_has_the_parameters_that_inspect_tells(function: FunctionType) -> None:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    written = signature(node, of_class=False)
    (shown,) = ast.parse(f"def shown{written}: pass").body
    assert isinstance(shown, ast.FunctionDef)
    real = inspect.signature(function).parameters.values()
    empty = inspect.Parameter.empty
    assert parameters(shown.args) == [
        (one.name, one.kind.description, one.default is not empty) for one in real
    ]


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("def f(): 0", "()"),
        ("def f(a, b=-1, *, c): 0", "(a, b=-1, *, c)"),
        ("def f(a, /, *b, c='x', **d): 0", "(a, /, *b, c='x', **d)"),
        ("def f(self, /, a): 0", "(self, /, a)"),
        ("def f(a: int = os.sep, b: str = g(1)) -> int: 0", "(a=os.sep, b=...)"),
        ("def f(a=[], b={}, c=(), d=(1,), e=...): 0", "(a=[], b={}, c=(), d=..., e=...)"),
        (f"def f(a={'x.' * 9}x, b={'y' * 60!r}, c={'9' * 60}): 0", "(a=..., b=..., c=...)"),
        (f"def f({', '.join(f'a{n}' for n in range(99))}): 0", "(...)"),
        ("class C:\n def __init__(this, a): 0", "(this, a)"),
        ("class C:\n def __init__(self, /, a=1): 0", "(a=1)"),
        ("class C: 0", None),
        ("@functools.cached_property\ndef f(self): 0", None),
        ("@a.setter\ndef f(self, b): 0", None),
        ("@cache(1)\ndef f(a): 0", "(a)"),
    ],
)
def test_signatures(source: str, written: str | None) -> None:
    assert signature(ast.parse(source).body[0], of_class=False) == written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Return a list. And more.", "Return a list."),
        ("Return a list\nof things", "Return a list of things"),
        ("Return foo.bar of x.y", "Return foo.bar of x.y"),
        ("Is it (really) here?) Yes.", "Is it (really) here?)"),
        ("Use it, i.e. Call it. Then stop.", "Use it, i.e. Call it."),
        ("f(x) -> y\n\nReturn the y of x.", "Return the y of x."),
        ("f(x) -> y", None),
        ("f(x)\n\ng(x)\n\nReturn the y of x.", None),
        (">>> print the whole thing", None),
        ("Return these things:", None),
        ("Return it", None),
        ("shop.tools.basket", None),
        ("+ - 1 2 3", None),
        ("word " * 100, None),
        ("", None),
    ],
)
def test_first_sentences(text: str, sentence: str | None) -> None:
    assert first_sentence(text) == sentence


@pytest.mark.parametrize("unit", ["a. ", ".)", "(", "\n \n", "e.g. ", '"', ". (((", "f("])
def test_a_docstring_made_to_be_slow_takes_no_time(unit: str) -> None:
    began = time.process_time()
    first_sentence("Return the " + unit * 10_000)
    first_sentence(unit * 10_000)
    assert time.process_time() - began < 0.5


def test_limits_and_odd_names(tmp_path: Path) -> None:
    assert chats(tmp_path, MODULE, max_source_bytes=99).reasons == [("file", "too_large")]
    found = chats(tmp_path, 'def f(): "Do it to all of them."', max_document_bytes=9)
    assert found.reasons == [("row", "too_large")]
    content = f'def {"f" * 600}(): "Do it to all of them."\ndef é(): "Do it to all of them."'
    found = chats(tmp_path, content)
    assert found.reasons == [("row", "too_large")]
    assert found.summary.skipped == {"no public name": 1}
    assert chats(tmp_path, MODULE, "not-a-name.py").documents == []
    assert chats(tmp_path, "x = 1").summary.state == "read"


def test_without_inputs_it_is_the_standard_library_without_its_tests() -> None:
    config = IngestConfig(format="python-chats")
    files = discover(config)
    sources = [file.source for file in files]
    assert len(sources) > 300
    assert "stdlib/json/decoder.py" in sources
    assert all(source.startswith("stdlib/") and source.endswith(".py") for source in sources)
    assert not [source for source in sources if {"test", "tests", "site-packages"} & {*source.split("/")}]
    loaded = set(sys.modules)
    (one,) = [file for file in files if file.source == "stdlib/textwrap.py"]
    found = [row for row in read_file(one, config) if isinstance(row, Document)]
    assert {"textwrap", "textwrap.dedent", "textwrap.TextWrapper"} <= {row.source_id for row in found}
    assert set(sys.modules) == loaded


def test_of_a_folder_only_modules_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(MODULE, "utf-8")
    (tmp_path / "README.md").write_text("Nothing of a module.", "utf-8")
    found = discover(IngestConfig(inputs=(str(tmp_path),), format="python-chats"))
    assert [(file.source, file.format) for file in found] == [("a.py", "definitions")]
