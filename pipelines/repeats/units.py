"""Units of a text, their hashes, and texts without some of their units; straight from Arrow's buffers.

A unit of kind 'line' is a line with its line feed. A unit of kind 'paragraph' is a run of lines that are not
blank, with the blank lines behind it; blank lines before the first one belong to that. So the units of a text
together are the text. Two units are the same if their words are (`shingles`): case, punctuation and white
space do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.jit import kernel
from pipelines.text.characters import character_classes
from pipelines.text.lowered import lowered
from pipelines.text.shingles import U64, text_hashes

Bytes = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LINE_FEED = 10
_SPACE = 32


@dataclass(frozen=True)
class Units:
    """The units of many texts, one text after another.

    Attributes:
        hashes: Of their words, uint64 of shape (units,).
        num_words: int64 of shape (units,).
        bounds: The units of text k are bounds[k] to bounds[k + 1]; int64 of shape (texts + 1,).
    """

    hashes: U64
    num_words: I64
    bounds: I64


def units_of(texts: pa.Array, by_paragraph: bool) -> Units:
    """The units of texts; a text of no bytes has none."""
    data, offsets = lowered(texts)
    starts, bounds = _split(data, offsets, by_paragraph)
    hashes, num_words = text_hashes(data, starts, character_classes())
    return Units(hashes, num_words, bounds)


def without(texts: pa.Array, drop: Bools, by_paragraph: bool) -> pa.Array:
    """The texts without some of their units; one that loses any also loses blank lines at both its ends.

    Args:
        texts: Strings.
        drop: Which units go, in the order of `units_of`.
        by_paragraph: The kind of unit.
    """
    data, offsets = _buffers(texts)
    starts, bounds = _split(data, offsets, by_paragraph)
    kept, ends = _keep(data, starts, bounds, drop)
    return pa.LargeStringArray.from_buffers(
        len(texts), pa.py_buffer(np.concatenate([[0], ends]).astype(np.int64)), pa.py_buffer(kept)
    ).cast(pa.string())


def excerpts_of(texts: pa.Array, numbers: I64, by_paragraph: bool, chars: int) -> list[str]:
    """The beginning of some units, named by their number in the order of `units_of`."""
    data, offsets = _buffers(texts)
    starts, _ = _split(data, offsets, by_paragraph)
    # A character has at most four bytes; what the cut leaves of the last one is ignored.
    raw = (bytes(data[starts[unit] : min(starts[unit + 1], starts[unit] + 8 * chars)]) for unit in numbers)
    return [part.decode("utf-8", "ignore").strip()[:chars] for part in raw]


def _buffers(texts: pa.Array) -> tuple[Bytes, I64]:
    array = texts.cast(pa.large_string())
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8), bounds


@kernel
def _split(data: Bytes, offsets: I64, by_paragraph: bool) -> tuple[I64, I64]:
    """Where each unit begins, with the end of the last text; and the number of each text's first unit."""
    num_texts = offsets.size - 1
    num_lines = num_texts + 1
    for position in range(offsets[0], offsets[num_texts]):
        if data[position] == _LINE_FEED:
            num_lines += 1
    starts = np.empty(num_lines + 1, np.int64)
    bounds = np.zeros(num_texts + 1, np.int64)
    count = 0
    for text in range(num_texts):
        line = offsets[text]
        end = offsets[text + 1]
        first = True
        blank_before = False
        words_before = False
        while line < end:
            position = line
            blank = True
            while position < end and data[position] != _LINE_FEED:
                if data[position] > _SPACE:
                    blank = False
                position += 1
            if first or not by_paragraph or (blank_before and words_before and not blank):
                starts[count] = line
                count += 1
                words_before = False
            first = False
            blank_before = blank
            words_before = words_before or not blank
            line = position + 1
        bounds[text + 1] = count
    starts[count] = offsets[num_texts]
    return starts[: count + 1], bounds


@kernel
def _keep(data: Bytes, starts: I64, bounds: I64, drop: Bools) -> tuple[Bytes, I64]:
    """The bytes of the units that stay, and where each text ends in them."""
    num_texts = bounds.size - 1
    out = np.empty(starts[-1] - starts[0], np.uint8)
    ends = np.empty(num_texts, np.int64)
    size = 0
    for text in range(num_texts):
        begin = size
        lost = False
        for unit in range(bounds[text], bounds[text + 1]):
            if drop[unit]:
                lost = True
                continue
            length = starts[unit + 1] - starts[unit]
            out[size : size + length] = data[starts[unit] : starts[unit + 1]]
            size += length
        if lost:
            while size > begin and out[size - 1] <= _SPACE:
                size -= 1
            # Blank lines in front: up to the last line feed before the first byte that shows.
            first = begin
            skip = begin
            while first < size and out[first] <= _SPACE:
                first += 1
                if out[first - 1] == _LINE_FEED:
                    skip = first
            if skip > begin:
                for index in range(skip, size):
                    out[begin + index - skip] = out[index]
                size -= skip - begin
        ends[text] = size
    return out[:size], ends
