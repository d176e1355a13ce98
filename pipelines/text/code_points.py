"""Texts as characters: decoded from Arrow's string buffers once, each with what every rule asks of it.

What a letter, a digit, white space or a line break is, the running Python says: the kinds below are those of
its `str` methods and of its regular expressions, so that a rule defined on `str` measures the same here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.jit import kernel
from pipelines.text.characters import LONE_RANGES
from pipelines.text.punctuation import SYMBOLS, TERMINAL_PUNCTUATION

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int64]

# The kinds of a character, one bit each.
WORD = 1  # \w: str.isalnum or the underscore
SPACE = 2  # str.isspace, which is \s
ALPHA = 4  # str.isalpha
DECIMAL = 8  # str.isdecimal, which is \d
SYMBOL = 16  # in punctuation.SYMBOLS
TERMINAL = 32  # in punctuation.TERMINAL_PUNCTUATION
BREAK = 64  # where str.splitlines parts lines
UNSPACED = 128  # of a script written without spaces, its marks and signs included

TABLE_SIZE = 0x40000
"""Characters from here on (tags, variation selectors, private use) are of no kind."""

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@dataclass(frozen=True)
class Characters:
    """Some texts as code points, one text behind the other.

    Attributes:
        codes: Code points, uint32 of shape (characters,).
        kinds: Their kinds, uint8 of shape (characters,).
        bounds: Where each text begins and the last one ends, int64 of shape (texts + 1,).
    """

    codes: Codes
    kinds: Bytes
    bounds: Index

    @property
    def lengths(self) -> Index:
        """Characters of each text, int64 of shape (texts,)."""
        return np.diff(self.bounds)


@cache
def character_kinds() -> Bytes:
    """The kinds of every character below TABLE_SIZE, uint8 of shape (TABLE_SIZE,), read-only."""
    every = "".join(map(chr, range(TABLE_SIZE)))
    kinds = np.zeros(TABLE_SIZE, np.uint8)
    for pattern, kind in ((r"\w+", WORD), (r"\s+", SPACE), (r"\d+", DECIMAL)):
        for match in re.finditer(pattern, every):
            kinds[match.start() : match.end()] |= kind
    kinds[np.fromiter(map(str.isalpha, every), bool, TABLE_SIZE)] |= ALPHA
    for characters, kind in ((SYMBOLS, SYMBOL), (TERMINAL_PUNCTUATION, TERMINAL), (LINE_BREAKS, BREAK)):
        kinds[[ord(character) for character in characters]] |= kind
    for first, last in LONE_RANGES:
        kinds[first : last + 1] |= UNSPACED
    kinds.flags.writeable = False
    return kinds


def buffers(texts: pa.LargeStringArray) -> tuple[Bytes, Index]:
    """The bytes of some texts, and where each begins and the last one ends; a null counts as empty."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", np.uint8), bounds


def decode(texts: pa.LargeStringArray) -> Characters:
    """The characters of some texts."""
    return Characters(*_decode(*buffers(texts), character_kinds()))


def encode(codes: Codes, bounds: Index) -> pa.LargeStringArray:
    """The texts of some characters; the inverse of `decode`."""
    data, offsets = _encode(codes, bounds)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_string(), bounds.size - 1, buffers)


@kernel
def _decode(data: Bytes, offsets: Index, table: Bytes) -> tuple[Codes, Bytes, Index]:
    """UTF-8 to code points; Arrow's strings are valid, so a first byte says how many follow."""
    num_texts = offsets.size - 1
    codes = np.empty(offsets[num_texts] - offsets[0], np.uint32)
    kinds = np.empty(codes.size, np.uint8)
    bounds = np.empty(num_texts + 1, np.int64)
    bounds[0] = 0
    count = 0
    size = table.size
    for text in range(num_texts):
        position = offsets[text]
        end = offsets[text + 1]
        while position < end:
            byte = np.uint32(data[position])
            if byte < 0x80:
                codes[count] = byte
                kinds[count] = table[byte]
                position += 1
            else:
                if byte < 0xE0:
                    width = 2
                    code = byte & np.uint32(0x1F)
                elif byte < 0xF0:
                    width = 3
                    code = byte & np.uint32(0x0F)
                else:
                    width = 4
                    code = byte & np.uint32(0x07)
                for index in range(position + 1, min(position + width, end)):
                    code = (code << np.uint32(6)) | np.uint32(data[index] & 0x3F)
                codes[count] = code
                kinds[count] = table[code] if code < size else 0
                position += width
            count += 1
        bounds[text + 1] = count
    return codes[:count], kinds[:count], bounds


@kernel
def utf8_width(code: int) -> int:
    """Bytes of a code point in UTF-8."""
    if code < 0x80:
        return 1
    if code < 0x800:
        return 2
    return 3 if code < 0x10000 else 4


@kernel
def _encode(codes: Codes, bounds: Index) -> tuple[Bytes, Index]:
    """Code points to UTF-8, with the offsets of the texts."""
    offsets = np.empty(bounds.size, np.int64)
    offsets[0] = 0
    size = 0
    for text in range(bounds.size - 1):
        for index in range(bounds[text], bounds[text + 1]):
            size += utf8_width(codes[index])
        offsets[text + 1] = size
    data = np.empty(size, np.uint8)
    position = 0
    for index in range(bounds[0], bounds[bounds.size - 1]):
        code = codes[index]
        width = utf8_width(code)
        if width == 1:
            data[position] = code
        else:
            for place in range(width - 1, 0, -1):
                data[position + place] = 0x80 | (code & np.uint32(0x3F))
                code >>= np.uint32(6)
            # 110xxxxx, 1110xxxx, 11110xxx
            data[position] = ((0xF00 >> width) & 0xFF) | code
        position += width
    return data, offsets
