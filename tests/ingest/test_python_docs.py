"""Docstrings, help topics and READMEs, read without importing anything."""

from __future__ import annotations

import ast
import inspect
import sys
import sysconfig
from pathlib import Path

import pytest

from pipelines.files.record import Document
from pipelines.ingest import installation
from pipelines.ingest.formats.python_definitions import module_name
from tests.ingest.support import Outcome, read_bytes

MODULE = '''"""Module.

    Indented as written.
    """
raise SystemExit("nobody may import this")

class A:
    "Class A"
    def m(self, x="not a docstring"):
        """Method.

        More.
        """
        def inner(): "Inner"
        return x
    async def n(self): r"""Raw \\d"""
    class B:
        """
        """
if True:
    def f():
        "first " "and second"
else:
    def f(): "other f"
try:
    pass
except ValueError:
    def g(): "in handler"
finally:
    with open(1) as x:
        def h(): b"bytes are no docstring"
match 1:
    case 1:
        def k(): ("in brackets")
def no(): f"formatted {1}"
def none(): return "x"
def nul(): "a\\x00b\\ud800"
'''


def docs(folder: Path, content: str | bytes, name: str = "mod.py") -> Outcome:
    raw = content.encode() if isinstance(content, str) else content
    return read_bytes(folder, name, raw, format="python-docs")


def by_id(documents: list[Document]) -> dict[str | None, str]:
    return {document.source_id: document.text for document in documents}


def test_every_docstring_has_its_qualified_name_and_clean_text(tmp_path: Path) -> None:
    found = docs(tmp_path, MODULE)
    assert [(document.source_id, document.text) for document in found.documents] == [
        ("mod", "Module.\n\nIndented as written."),
        ("mod.A", "Class A"),
        ("mod.A.m", "Method.\n\nMore."),
        ("mod.A.m.<locals>.inner", "Inner"),
        ("mod.A.n", "Raw \\d"),
        ("mod.f", "first and second"),
        ("mod.f", "other f"),
        ("mod.g", "in handler"),
        ("mod.k", "in brackets"),
        ("mod.nul", "ab\ufffd"),
    ]
    assert {document.kind for document in found.documents} == {"docstring"}
    assert [document.source_id for document in found.documents if document.repaired] == ["mod.nul"]
    assert found.summary.records == 10


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "shift_jis"])
def test_an_offset_finds_the_docstring_in_the_file(tmp_path: Path, encoding: str, line_break: str) -> None:
    letters = {"latin-1": "é", "shift_jis": "ソ"}.get(encoding, "é文😀")
    cookie = "" if encoding.startswith("utf-8") else f"# -*- coding: {encoding} -*-\n"
    source = f'{cookie}"""Über""" if 0 else 0\n'.replace("Über", letters)
    source += (
        f'class C{letters[0]}:\n  x = "{letters}"; y = 1\n  def f(self, a="{letters}"): "DOC {letters}"\n'
    )
    raw = source.replace("\n", line_break).encode(encoding)
    found = docs(tmp_path, raw)
    (document,) = found.documents
    assert document.text == f"DOC {letters}"
    assert raw[document.offset :].startswith(b'"DOC ')


def test_the_first_line_behind_a_byte_order_mark_has_the_right_offset(tmp_path: Path) -> None:
    (document,) = docs(tmp_path, b'\xef\xbb\xbf"Doc"').documents
    assert document.offset == 3


@pytest.mark.parametrize(
    ("content", "reason", "offset"),
    [
        (b"x = 1\nprint 'a'\n", "bad_syntax", 6),
        (b"# coding: no-such-codec\n", "bad_encoding", 0),
        (b"# coding: hex\n'a'\n", "bad_encoding", 0),
        (b"'ok'\nx = '\xe9'\n", "not_utf8", 10),
        (b"\xef\xbb\xbf'ok'\nx = '\xe9'\n", "not_utf8", 13),
        (b"# coding: ascii\nx = '\xe9'\n", "bad_encoding", 21),
        (b"\xef\xbb\xbf# coding: latin-1\n", "bad_encoding", 0),
        (b"x = 1\x00\n", "bad_syntax", 0),
        (b"x = " + b"9" * 10_000 + b"\n", "bad_syntax", 0),
        (b"(" * 100_000, "bad_syntax", 0),
        (b"-" * 100_000 + b"1", "too_deep", 0),
        (b"x" + b".y" * 100_000, "too_deep", 0),
        (b"[" * 150 + b"]" * 150 + b"\n" + b"not " * 50_000 + b"1", "too_deep", 0),
    ],
)
def test_a_file_that_cannot_be_parsed_is_quarantined(
    tmp_path: Path, content: bytes, reason: str, offset: int
) -> None:
    found = docs(tmp_path, content)
    assert found.reasons == [("file", reason)]
    assert found.quarantined[0].fault.offset == offset


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "a.py", b"'doc'\n" + b"#" * 95, format="python-docs", max_source_bytes=100)
    assert found.reasons == [("file", "too_large")]


def test_a_file_without_docstrings_is_fine(tmp_path: Path) -> None:
    found = docs(tmp_path, "")
    assert (found.summary.state, found.summary.records) == ("read", 0)


def test_topics_come_from_their_source(tmp_path: Path) -> None:
    (tmp_path / "pydoc_data").mkdir()
    content = (
        "topics = {'and': 'Boolean\\n  operations', 'x': '  ', 'del': \"a\"\n  'b', 'call': open('y')}\n"
    )
    found = docs(tmp_path, content, "pydoc_data/topics.py")
    # A single file is called by its name alone; in a folder it keeps the folder that marks it.
    assert found.documents == []
    from conf.ingest import IngestConfig
    from pipelines.ingest.discover import discover
    from pipelines.ingest.read_file import Summary, read_file

    config = IngestConfig(inputs=(str(tmp_path),), format="python-docs")
    (file,) = discover(config)
    *rows, summary = read_file(file, config)
    documents = [row for row in rows if isinstance(row, Document)]
    assert by_id(documents) == {"and": "Boolean\noperations", "del": "ab"}
    assert {document.kind for document in documents} == {"topic"}
    assert [content.encode()[document.offset :][:5] for document in documents] == [b"'and'", b"'del'"]
    assert isinstance(summary, Summary)
    assert (summary.kept, summary.quarantined) == (2, 1)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Metadata-Version: 2.1\nName: p\n\n# P\n\nText.\n", "# P\n\nText.\n"),
        ("Metadata-Version: 2.1\r\nName: p\r\n\r\n# P\r\n", "# P\r\n"),
        (
            "Name: p\nDescription: First\n        second\n               indented\nLicense: x\n\n",
            "First\nsecond\n       indented\n",
        ),
        ("Name: p\nDescription: UNKNOWN\nLicense: x\n", None),
        ("Name: p\nSummary: s\n", None),
    ],
)
def test_the_description_of_a_package(tmp_path: Path, content: str, text: str | None) -> None:
    found = docs(tmp_path, content, "METADATA")
    assert [document.text for document in found.documents] == ([text] if text else [])
    for document in found.documents:
        assert (document.kind, document.source_id) == ("readme", "p")
        assert content[document.offset :].startswith(document.text[:5])


def test_pages(tmp_path: Path) -> None:
    (document,) = docs(tmp_path, "# Title\r\n\r\nText\r\n", "a.md").documents
    assert (document.kind, document.text, document.source_id) == ("page", "# Title\n\nText\n", None)
    assert docs(tmp_path, b"caf\xe9", "b.rst").reasons == [("file", "not_utf8")]


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("stdlib/json/__init__.py", "json"),
        ("stdlib/json/decoder.py", "json.decoder"),
        ("site-packages/torch/nn/init.py", "torch.nn.init"),
        ("mine.py", "mine"),
    ],
)
def test_module_names(source: str, module: str) -> None:
    assert module_name(source) == module


def test_the_installation_names_its_files_without_saying_where_it_lies() -> None:
    found = {source: path for path, source in installation.files()}
    assert found["stdlib/json/decoder.py"] == str(
        Path(sysconfig.get_path("stdlib")).resolve() / "json/decoder.py"
    )
    assert "site-packages/pytest/__init__.py" in found
    assert any(source.endswith("dist-info/METADATA") for source in found)
    assert not [source for source in found if "__pycache__" in source or source.endswith(".txt")]
    assert not [source for source in found if source.startswith("stdlib/site-packages")]
    assert not [source for source in found if "ringlake" in source]
    assert "site-packages/pipelines/__init__.py" not in found
    assert {source.partition("/")[0] for source in found} == {"stdlib", "site-packages"}


def test_real_modules_give_what_ast_and_inspect_give(tmp_path: Path) -> None:
    """Compared with a walk over the whole tree, which is slower and needs no list of statements."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    num_docstrings = 0
    for name in ("typing.py", "asyncio/base_events.py", "turtle.py", "unittest/mock.py", "ssl.py"):
        raw = (stdlib / name).read_bytes()
        wanted = []
        for node in ast.walk(ast.parse(raw)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    wanted.append(text)
        found = docs(tmp_path, raw)
        assert sorted(found.texts) == sorted(wanted)
        num_docstrings += len(wanted)
    assert num_docstrings > 400


def test_names_and_texts_are_those_of_the_imported_module(tmp_path: Path) -> None:
    import json.decoder as module

    raw = Path(inspect.getsourcefile(module) or "").read_bytes()
    found = by_id(docs(tmp_path, raw).documents)
    assert found["mod.JSONDecoder"] == inspect.getdoc(module.JSONDecoder)
    assert found["mod.JSONDecoder.raw_decode"] == inspect.getdoc(module.JSONDecoder.raw_decode)


def test_nothing_is_imported(tmp_path: Path) -> None:
    before = set(sys.modules)
    docs(tmp_path, "import antigravity_of_ringlake\n'not a docstring'\n")
    assert "antigravity_of_ringlake" not in set(sys.modules) - before
