"""Copies of texts outside of the tables with documents: reports, samples, logs, excerpts.

A file has a copy if it shares a passage of `CERTAIN` characters with a text, white space and the escapes of
HTML and JSON aside, or names a forgotten document. Passages are looked up by needles, pieces of each text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.lake import Catalog, Lake
from pipelines.lake.lookup import columns_of
from pipelines.lake.rewrite import data_files, opened
from ringlake.base.storage import Folder

NEEDLE, STRIDE = 32, 16
CERTAIN = NEEDLE + STRIDE
"""Characters of a passage that is certain to be found: it holds a needle of each text that has it."""

_LEAST = 12
"""A text shorter than a needle is one itself; one of fewer characters is in every book."""

_BLOCK = 1 << 22
"""Bytes of a file that are looked through at once."""

_SUFFIXES = (".json", ".jsonl", ".html", ".md", ".txt", ".log", ".csv", ".yaml", ".out", ".err")

_REMADE = (
    "report.html",
    "card.md",
    "dataset_card.json",
    "samples.json",
    "evaluation.json",
    "logs/",
    "indexes/",
)
"""Files and folders of a lake that its stages make again, or that nobody needs."""

_ESCAPES = {"n": " ", "t": " ", "r": " ", "f": " ", "b": " ", '"': '"', "/": "/", "\\": "\\"}
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|([nrtfb"/\\]))')

EXCERPTS = ("quarantine", "repeats")
"""Tables with excerpts of texts: they are blanked, the rows stay, since others are counted with them."""


@dataclass(frozen=True)
class Needles:
    """What texts are known by.

    Attributes:
        pieces: Pieces of the texts, `NEEDLE` characters each, or whole short texts.
        doc_ids: Ids of the documents.
    """

    pieces: frozenset[str]
    doc_ids: frozenset[str] = frozenset()
    _lengths: tuple[int, ...] = field(default=(), repr=False)

    @staticmethod
    def of(texts: Iterable[str], doc_ids: Collection[str] = ()) -> Needles:
        """The needles of texts."""
        pieces: set[str] = set()
        for text in texts:
            plain = _plain(text)
            if len(plain) < NEEDLE:
                pieces.update([plain] if len(plain) >= _LEAST else [])
            pieces.update(plain[at : at + NEEDLE] for at in range(0, len(plain) - NEEDLE + 1, STRIDE))
        return Needles(frozenset(pieces), frozenset(doc_ids), tuple(sorted({len(piece) for piece in pieces})))

    def are_in(self, content: str) -> bool:
        r"""Whether a text has one of them, as it stands or unescaped.

        >>> needles = Needles.of(["a text with 'quotes' that is so long that it has needles"])
        >>> needles.are_in("<p>a text with &#39;quotes&#39; that\nis so long that it has needles</p>")
        True
        """
        if any(doc_id in content for doc_id in self.doc_ids):
            return True
        unescaped = html.unescape(content)
        plains = {_plain(content), _plain(unescaped), _plain(_ESCAPE.sub(_unescaped, unescaped))}
        return any(
            plain[at : at + length] in self.pieces
            for plain in plains
            for length in self._lengths
            for at in range(len(plain) - length + 1)
        )


def files_with(lake: Lake, needles: Needles) -> tuple[list[str], list[str]]:
    """Files of a lake outside of its tables with a copy: those to be removed, and those to be named alone."""
    removed: list[str] = []
    named: list[str] = []
    for path in lake.root.all_files():
        if path.startswith(("tables/", "erasures/", ".lock")) or not path.lower().endswith(_SUFFIXES):
            continue
        if any(needles.are_in(block) for block in _blocks(lake.root, path)):
            (removed if path.startswith(_REMADE) else named).append(path)
    return removed, named


def excerpts_with(lake: Lake, needles: Needles) -> dict[str, dict[str, list[int]]]:
    """By table and file the rows whose excerpt is of one of the texts."""
    found: dict[str, dict[str, list[int]]] = {}
    for name in EXCERPTS:
        for path in data_files(lake, name) if Catalog(lake).exists(name) else []:
            names = ["excerpt", *(["first_doc_id"] if name == "repeats" else [])]
            with opened(lake.tables.child(name), path) as file:
                rows = file.read(columns=names).to_pylist()
            hit = [
                number
                for number, row in enumerate(rows)
                if row["excerpt"]
                and (row.get("first_doc_id") in needles.doc_ids or needles.are_in(row["excerpt"]))
            ]
            if hit:
                found.setdefault(name, {})[path] = hit
    return found


def tables_with(lake: Lake, needles: Needles, others: Collection[str]) -> list[str]:
    """Of the tables that name no documents those with a copy in a column of texts; `others` are left out."""
    found = []
    for name in Catalog(lake).names():
        if name in others or "doc_id" in columns_of(lake, name):
            continue
        if any(
            needles.are_in(text) for path in data_files(lake, name) for text in _texts_in(lake, name, path)
        ):
            found.append(name)
    return found


def blanked(table: pa.Table, rows: Collection[int], first: int) -> pa.Table:
    """A row group of a table with excerpts, some of them emptied.

    Args:
        table: The row group.
        rows: Numbers of rows in the file.
        first: Number of its first row there.
    """
    field_ = table.schema.field("excerpt")
    values = [
        "" if first + number in rows else value
        for number, value in enumerate(table.column("excerpt").to_pylist())
    ]
    return table.set_column(table.schema.get_field_index("excerpt"), field_, pa.array(values, field_.type))


def _texts_in(lake: Lake, name: str, path: str) -> Iterator[str]:
    with opened(lake.tables.child(name), path) as file:
        names = [each.name for each in file.schema_arrow if pa.types.is_string(each.type)]
        for batch in file.iter_batches(columns=names):
            for column in batch.columns:
                yield from (value for value in column.to_pylist() if value)


def _blocks(folder: Folder, path: str) -> Iterator[str]:
    """A file as text, block by block; each has the end of the one before it, so that no passage is cut."""
    rest = b""
    with folder.open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            yield (rest + block).decode(errors="replace")
            rest = block[-16 * CERTAIN :]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _ESCAPES[match[2]]
