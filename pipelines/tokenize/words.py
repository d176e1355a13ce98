"""What a tokenizer may be trained on: words of limited length, and distinct ones up to a limit.

Training costs memory for every byte of a distinct word, and time that grows with the square of a word's
length: one document of one long word, or a sample of a language without spaces, would take hours or all
memory. So longer words are cut, and the sample ends where its distinct words have reached their limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from tokenizers import pre_tokenizers

from pipelines.jit import kernel
from ringlake.base.seeds import GOLDEN, MIX_1

MAX_WORD_BYTES = 1024
"""Longer words are cut. SentencePiece leaves lines over 4,192 bytes out (max_sentence_length) and learns
pieces of at most 16 characters, so that a cut after 1,024 bytes loses next to nothing that can be learned."""

_FIRST_SLOTS = 2**16
_BASE, _MIX = np.uint64(GOLDEN), np.uint64(MIX_1)
_SHIFT = np.uint64(31)

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


class BoundedWords:
    """Passes texts on until their distinct words have `max_distinct` bytes; cuts words that are too long.

    Words are taken here as runs of letters, digits, white space or others, with the space before them: what
    the byte-level pre-tokenizer makes of a text is at most a little finer.

    Args:
        texts: The sample.
        max_distinct: Limit in bytes of UTF-8; the text that reaches it is the last one.

    Attributes:
        num_cut: Words that were cut.
        distinct_bytes: Bytes of the distinct words so far.
        ended_early: Whether the limit was reached while there may have been more texts.
    """

    def __init__(self, texts: Iterator[str], max_distinct: int) -> None:
        self.num_cut = 0
        self.distinct_bytes = 0
        self.ended_early = False
        self._texts = texts
        self._max_distinct = max_distinct
        self._seen = np.zeros(_FIRST_SLOTS, np.uint64)
        self._num_seen = 0
        self._split = pre_tokenizers.ByteLevel(add_prefix_space=False)

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            data = text.encode()
            begins, ends = self._measure(np.frombuffer(data, np.uint8))
            yield from self._parts(data, begins, ends) if len(begins) else (text,)
            if self.distinct_bytes >= self._max_distinct:
                self.ended_early = True
                return

    def _measure(self, data: Bytes) -> tuple[Ints, Ints]:
        """Counts a text's words; where those that are too long begin and end."""
        place, runs = 0, [np.empty((2, 0), np.int64)]
        while place < len(data):
            if 2 * self._num_seen >= len(self._seen):
                larger = np.zeros(4 * len(self._seen), np.uint64)
                _move(self._seen, larger)
                self._seen = larger
            room = len(self._seen) // 2 - self._num_seen
            place, new, size, begins, ends = _read(data, place, self._seen, room, MAX_WORD_BYTES)
            self._num_seen += new
            self.distinct_bytes += size
            runs.append(np.stack([begins, ends]))
        begins, ends = np.concatenate(runs, axis=1)
        return begins, ends

    def _parts(self, data: bytes, begins: Ints, ends: Ints) -> Iterator[str]:
        last = 0
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            run = data[begin:end].decode()
            sizes = [len(word) for word, _ in self._split.pre_tokenize_str(run)]
            if max(sizes) <= MAX_WORD_BYTES:
                continue
            self.num_cut += sum(size > MAX_WORD_BYTES for size in sizes)
            yield data[last:begin].decode()
            for stop, size in zip(accumulate(sizes, initial=begin), sizes, strict=False):
                yield from _cut(data[stop : stop + size])
            last = end
        yield data[last:].decode()


def _cut(word: bytes) -> Iterator[str]:
    """Parts of a word of at most MAX_WORD_BYTES, between characters."""
    place = 0
    while place < len(word):
        end = min(place + MAX_WORD_BYTES, len(word))
        while end < len(word) and word[end] & 0xC0 == 0x80:
            end -= 1
        yield word[place:end].decode()
        place = end


@kernel
def _kind(byte: int) -> int:
    """0 white space, 1 letters and all beyond ASCII, 2 digits, 3 others."""
    if byte == 32 or 9 <= byte <= 13:
        return 0
    if byte >= 128 or 65 <= byte <= 90 or 97 <= byte <= 122:
        return 1
    return 2 if 48 <= byte <= 57 else 3


@kernel
def _read(data: Bytes, place: int, seen: U64, room: int, longest: int) -> tuple[int, int, int, Ints, Ints]:
    """Reads until the end or until `room` new words: where it stopped, new words, their bytes, long ones."""
    mask = np.uint64(len(seen) - 1)
    capacity = (len(data) - place) // (longest + 1) + 1
    begins, ends = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    num_long, new, size = 0, 0, 0
    while place < len(data) and new < room:
        begin = place
        if data[place] == 32 and place + 1 < len(data) and _kind(data[place + 1]) != 0:
            place += 1
        kind = _kind(data[place])
        state = np.uint64(kind + 1) if place == begin else np.uint64(kind + 7)
        while place < len(data) and _kind(data[place]) == kind:
            state = (state + np.uint64(data[place]) + np.uint64(1)) * _BASE
            state = state ^ (state >> _SHIFT)
            place += 1
        if place - begin > longest:
            begins[num_long], ends[num_long] = begin, place
            num_long += 1
        state = (state * _MIX) | np.uint64(1)
        slot = (state >> np.uint64(20)) & mask
        while seen[slot] != 0 and seen[slot] != state:
            slot = (slot + np.uint64(1)) & mask
        if seen[slot] == 0:
            seen[slot] = state
            new += 1
            size += place - begin
    return place, new, size, begins[:num_long], ends[:num_long]


@kernel
def _move(old: U64, larger: U64) -> None:
    mask = np.uint64(len(larger) - 1)
    for number in range(len(old)):
        state = old[number]
        if state == 0:
            continue
        slot = (state >> np.uint64(20)) & mask
        while larger[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        larger[slot] = state
