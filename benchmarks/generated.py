"""A corpus of any size as JSON Lines: this Python's documentation, and copies of it with other words.

A copy replaces three of ten words by words drawn from the vocabulary, weighted as they occur, so that copies
are no near-duplicates of each other while words, lengths and languages stay as they are. What is written
follows from the base, the number of bytes and nothing else. Arrow puts the texts together.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

REPLACED = 0.3
"""Share of the words that a copy replaces. Of three words in a row a third stay, so that two copies share
less than a sixth of their shingles of five words."""

CLUSTER = 300_000
"""Near-duplicates of one document in the shape of that name."""

FILES = 100_000
"""Files in the shape of many."""

LARGE = 8 * 2**20 - 2**16
"""Bytes of a large document: a little less than `ingest.max_document_bytes`."""

FILE_BYTES = 128 * 2**20
"""About how much text a file holds."""

_CHUNK = 20_000
"""Documents that are put together at once."""

_PIECES = re.compile(r"\w+|\W+")


@dataclass(frozen=True)
class Base:
    """Documents as numbers of pieces: words and what lies between them.

    Attributes:
        pieces: All different pieces, the words first.
        num_words: How many of them are words.
        ids: Number of each piece of all documents, one after another.
        offsets: Where each document begins in `ids`, and where the last one ends.
        words: The words of all documents as they occur, to draw from.
    """

    pieces: pa.Array
    num_words: int
    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]


def base_of(documents: Sequence[str]) -> Base:
    """The documents as pieces."""
    numbers: dict[str, int] = {}
    ids: list[int] = []
    offsets = [0]
    for text in documents:
        ids.extend(numbers.setdefault(piece, len(numbers)) for piece in _PIECES.findall(text))
        offsets.append(len(ids))
    names = list(numbers)
    is_word = np.array([name[0].isalnum() or name[0] == "_" for name in names])
    order = np.argsort(~is_word, kind="stable")
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    placed = place[np.array(ids, np.int64)]
    num_words = int(is_word.sum())
    return Base(
        pieces=pa.array([names[number] for number in order], pa.string()),
        num_words=num_words,
        ids=placed,
        offsets=np.array(offsets, np.int64),
        words=placed[placed < num_words],
    )


def texts(base: Base, copy: int) -> Iterator[list[str]]:
    """The documents of a copy in lists; copy 0 is the documents as they are."""
    num_documents = len(base.offsets) - 1
    for first in range(0, num_documents, _CHUNK):
        bounds = base.offsets[first : min(first + _CHUNK, num_documents) + 1]
        ids = base.ids[bounds[0] : bounds[-1]]
        if copy:
            draw = np.random.default_rng([copy, first])
            changed = (ids < base.num_words) & (draw.random(len(ids), np.float32) < REPLACED)
            ids = np.where(changed, base.words[draw.integers(len(base.words), size=len(ids))], ids)
        pieces = base.pieces.take(pa.array(ids))
        lists = pa.ListArray.from_arrays(pa.array((bounds - bounds[0]).astype(np.int32)), pieces)
        yield pc.binary_join(lists, "").to_pylist()


def ordinary(folder: Path, documents: Sequence[str], num_bytes: int) -> int:
    """Copies until there are so many bytes of JSON Lines, in files of `FILE_BYTES`; returns documents."""
    return _write(folder, _lines(_endless(base_of(documents))), num_bytes, FILE_BYTES)


def one_cluster(folder: Path, documents: Sequence[str], num_bytes: int) -> int:
    """The same, but one document among them 300,000 times with another last word."""
    base = base_of(documents)
    one = " ".join(documents[0:20])[:600]
    near = (f"{one} {number}" for number in range(CLUSTER))
    everything = itertools.chain.from_iterable(itertools.zip_longest(near, _endless(base)))
    return _write(folder, _lines(text for text in everything if text is not None), num_bytes, FILE_BYTES)


def large_documents(folder: Path, documents: Sequence[str], num_bytes: int) -> int:
    """Documents of almost 8 MiB, the largest that ingest keeps, each of many of the others."""

    def joined() -> Iterator[str]:
        parts: list[str] = []
        size = 0
        for text in _endless(base_of(documents)):
            size += len(text.encode()) + 2
            if size > LARGE:
                yield "\n\n".join(parts)
                parts, size = [], len(text.encode()) + 2
            parts.append(text)

    return _write(folder, _lines(joined()), num_bytes, FILE_BYTES)


def many_files(folder: Path, documents: Sequence[str], num_bytes: int) -> int:
    """The ordinary corpus in 100,000 files."""
    return _write(folder, _lines(_endless(base_of(documents))), num_bytes, max(1, num_bytes // FILES))


def one_gzip(folder: Path, documents: Sequence[str], num_bytes: int) -> int:
    """The ordinary corpus in one compressed file, whose decompressed size counts."""
    folder.mkdir(parents=True, exist_ok=True)
    count = written = 0
    with gzip.open(folder / "all.jsonl.gz", "wt", compresslevel=1, encoding="utf-8") as out:
        for line in _lines(_endless(base_of(documents))):
            out.write(line)
            written += len(line)
            count += 1
            if written >= num_bytes:
                return count
    return count


def three_words(folder: Path, documents: Sequence[str], num_bytes: int) -> int:
    """Documents of three words, some 55 bytes of JSON each: a million in 55 MB."""
    base = base_of(documents)
    draw = np.random.default_rng(3)

    def drawn() -> Iterator[str]:
        while True:
            numbers = base.words[draw.integers(len(base.words), size=3 * _CHUNK)]
            words = base.pieces.take(pa.array(numbers)).to_pylist()
            yield from (" ".join(words[at : at + 3]) for at in range(0, len(words), 3))

    return _write(folder, _lines(drawn()), num_bytes, FILE_BYTES)


SHAPES: dict[str, Callable[[Path, Sequence[str], int], int]] = {
    "ordinary": ordinary,
    "one-cluster": one_cluster,
    "large-documents": large_documents,
    "many-files": many_files,
    "one-gzip": one_gzip,
    "three-words": three_words,
}
"""What writes a corpus of about so many bytes of JSON Lines into a folder."""


def _write(folder: Path, lines: Iterator[str], num_bytes: int, file_bytes: int) -> int:
    """Lines until there are so many bytes, in files part-00000.jsonl and so on; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    written = count = 0
    for number in itertools.count():
        if written >= num_bytes:
            return count
        with (folder / f"part-{number:05d}.jsonl").open("w", encoding="utf-8") as out:
            wanted = min(num_bytes, (number + 1) * file_bytes)
            while written < wanted:
                line = next(lines)
                out.write(line)
                written += len(line)
                count += 1
    return count


def _endless(base: Base) -> Iterator[str]:
    """The documents, then copy after copy."""
    return (text for copy in itertools.count() for chunk in texts(base, copy) for text in chunk)


def _lines(documents: Iterator[str]) -> Iterator[str]:
    """JSON lines with an id and the text, in ASCII, so that characters are bytes."""
    return (json.dumps({"id": str(number), "text": text}) + "\n" for number, text in enumerate(documents))
