"""Prediction with a fastText classifier, many texts at a time, straight from their UTF-8.

Words repeat, so the sum of a word's vectors is kept in a small table. Sums are by word and then by text,
whether a word was in the table or not, so that results do not depend on what was read before; they differ
from fastText's own, which adds n-gram by n-gram, in the seventh digit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel
from pipelines.text.code_points import Bytes, Index
from ringlake.base.seeds import GOLDEN

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U64 = npt.NDArray[np.uint64]

# Words of at most 24 bytes are kept; the table takes 3 MB, about what a core's caches hold.
_KEPT_WORDS = 2**15
_PARTS = 3

_FNV_OFFSET, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_SPREAD = np.uint64(GOLDEN)
_EACH_BYTE = np.uint64(0x0101010101010101)
LEFT, RIGHT = 0, 1
_LEAST = np.float32(1e-5)  # fastText adds it to each probability before the logarithm


def empty_table(dimension: int) -> U64:
    """The table of words that are kept, without any: uint64 of shape (slots, 4 + dimension / 2).

    A row has the bytes of a word, how many vectors it has, and their sum as pairs of float32.
    """
    return np.zeros((_KEPT_WORDS, _PARTS + 1 + -(-dimension // 2)), np.uint64)


@kernel
def _hash_byte(state: np.uint32, byte: np.uint8) -> np.uint32:
    """FNV-1a as fastText has it: a byte from 0x80 on is taken as a negative number."""
    wide = np.uint32(byte)
    if byte >= 0x80:
        wide |= np.uint32(0xFFFFFF00)
    return np.uint32((state ^ wide) * _FNV_PRIME)


@kernel
def hash_bytes(data: Bytes, start: int, end: int) -> int:
    """The hash of a word by which the table of words is ordered."""
    state = _FNV_OFFSET
    for index in range(start, end):
        state = _hash_byte(state, data[index])
    return np.int64(state)  # type: ignore[return-value]


@kernel
def _find_word(data: Bytes, start: int, end: int, word_bytes: Bytes, bounds: Index, slots: I32) -> int:
    slot = hash_bytes(data, start, end) & (slots.size - 1)
    while slots[slot] >= 0:
        number = slots[slot]
        first = bounds[number]
        if bounds[number + 1] - first == end - start:
            index = 0
            while index < end - start and word_bytes[first + index] == data[start + index]:
                index += 1
            if index == end - start:
                return number
        slot = (slot + 1) & (slots.size - 1)
    return -1


@kernel
def _add_ngrams(
    data: Bytes,
    start: int,
    end: int,
    rows: F32,
    ngram_rows: I32,
    ngram_bits: U64,
    min_ngram: int,
    max_ngram: int,
    padded: Bytes,
    total: F32,
) -> int:
    """Adds the vectors of the n-grams of the word in angle brackets; their number."""
    size = end - start + 2
    padded[0] = 0x3C
    is_ascii = True
    for place in range(end - start):
        byte = data[start + place]
        is_ascii &= byte < 0x80
        padded[place + 1] = byte
    padded[size - 1] = 0x3E
    count = 0
    num_buckets = np.uint32(ngram_rows.size)
    for first in range(size):
        if padded[first] & 0xC0 == 0x80:
            continue
        state = _FNV_OFFSET
        index = first
        for length in range(1, min(max_ngram, size - first) + 1):
            if is_ascii:
                state = np.uint32((state ^ np.uint32(padded[index])) * _FNV_PRIME)
                index += 1
            else:
                if index >= size:
                    break
                state = _hash_byte(state, padded[index])
                index += 1
                while index < size and padded[index] & 0xC0 == 0x80:
                    state = _hash_byte(state, padded[index])
                    index += 1
            if length < min_ngram or (length == 1 and (first == 0 or index == size)):
                continue
            bucket = np.uint32(state) % num_buckets
            if (ngram_bits[bucket >> np.uint32(6)] >> np.uint64(bucket & np.uint32(63))) & np.uint64(1):
                row = ngram_rows[bucket]
                count += 1
                for place in range(total.size):
                    total[place] += rows[row, place]
    return count


@kernel
def _starts_with_label(data: Bytes, start: int, end: int) -> bool:
    """Whether a word begins with the prefix of labels, __label__, which fastText passes over."""
    if end - start < 9 or data[start] != 0x5F or data[start + 1] != 0x5F:
        return False
    # l a b e l _ _
    return (
        data[start + 2] == 0x6C
        and data[start + 3] == 0x61
        and data[start + 4] == 0x62
        and data[start + 5] == 0x65
        and data[start + 6] == 0x6C
        and data[start + 7] == 0x5F
        and data[start + 8] == 0x5F
    )


@kernel
def _score(vector: F32, tree: I32, nodes: F32, labels: Index, scores: F32) -> None:
    """The likeliest labels by depth-first search; `labels` and `scores` are filled in falling order."""
    num_labels = tree.shape[0] + 1
    limit = np.float32(np.log(np.float64(_LEAST)))
    stack = np.empty(2 * num_labels, np.int64)
    reached = np.empty(2 * num_labels, np.float32)
    wanted = labels.size
    found = 0
    size = 1
    stack[0] = 2 * num_labels - 2
    reached[0] = np.float32(0)
    while size > 0:
        size -= 1
        node, score = stack[size], reached[size]
        if score < limit or (found == wanted and score < scores[wanted - 1]):
            continue
        if node < num_labels:
            place = min(found, wanted - 1)
            found = min(found + 1, wanted)
            while place > 0 and scores[place - 1] < score:
                scores[place] = scores[place - 1]
                labels[place] = labels[place - 1]
                place -= 1
            scores[place] = score
            labels[place] = node
            continue
        inner = node - num_labels
        product = np.float32(0)
        for index in range(vector.size):
            product += nodes[inner, index] * vector[index]
        right = np.float32(1.0 / (1.0 + np.exp(-np.float64(product))))
        stack[size] = tree[inner, LEFT]
        reached[size] = score + np.float32(np.log(1.0 - np.float64(right) + np.float64(_LEAST)))
        stack[size + 1] = tree[inner, RIGHT]
        reached[size + 1] = score + np.float32(np.log(np.float64(right) + np.float64(_LEAST)))
        size += 2
    for place in range(found):
        scores[place] = np.exp(scores[place])


@kernel
def _eight(wide: U64, position: int) -> np.uint64:
    """The eight bytes from a position on, the first of them the lowest."""
    shift = np.uint64(8 * (position & 7))
    low = wide[position >> 3] >> shift
    # In two steps, because a shift by 64 is none.
    return low | ((wide[(position >> 3) + 1] << np.uint64(1)) << (np.uint64(63) - shift))


@kernel
def _part(wide: U64, position: int, size: int) -> np.uint64:
    """The same, but only the bytes of a word that has `size` more of them."""
    if size <= 0:
        return np.uint64(0)
    part = _eight(wide, position)
    return part if size >= 8 else part & ((np.uint64(1) << np.uint64(8 * size)) - np.uint64(1))


@kernel
def _end_of_word(data: Bytes, wide: U64, start: int, end: int) -> int:
    """Where the white space behind a word begins, eight bytes at a time."""
    stop = start
    while stop < end:
        part = _eight(wide, stop)
        # The lowest bit that is left belongs to the first byte up to 0x20.
        low = (part - _EACH_BYTE * np.uint64(0x21)) & ~part & (_EACH_BYTE << np.uint64(7))
        if low == 0:
            stop += 8
            continue
        low &= ~low + np.uint64(1)
        number = (((low - np.uint64(1)) & _EACH_BYTE) * _EACH_BYTE) >> np.uint64(56)
        stop += np.int64(number) - 1  # type: ignore[assignment]
        if stop < end:
            byte = data[stop]
            # White space of fastText: space, tab, line breaks, NUL.
            if byte == 0x20 or 0x09 <= byte <= 0x0D or byte == 0:
                return stop
            stop += 1
    return end


@kernel
def predict(
    data: Bytes,
    wide: U64,
    offsets: Index,
    rows: F32,
    word_bytes: Bytes,
    word_bounds: Index,
    word_slots: I32,
    ngram_rows: I32,
    ngram_bits: U64,
    min_ngram: int,
    max_ngram: int,
    end_row: int,
    tree: I32,
    nodes: F32,
    kept: U64,
    kept_values: F32,
    num_labels: int,
) -> tuple[Index, F32]:
    """See `Model.predict`; `wide` is `data` by eight bytes, with 40 bytes more than the texts have."""
    num_texts = offsets.size - 1
    dimension = rows.shape[1]
    labels = np.full((num_texts, num_labels), -1, np.int64)
    scores = np.zeros((num_texts, num_labels), np.float32)
    longest = 0
    for text in range(num_texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    padded = np.empty(longest + 2, np.uint8)
    total = np.empty(dimension, np.float64)
    vector = np.empty(dimension, np.float32)
    word_sum = np.empty(dimension, np.float32)
    sums = 2 * (_PARTS + 1)  # where the sums begin in `kept_values`
    for text in range(num_texts):
        end = offsets[text + 1]
        position = offsets[text]
        for place in range(dimension):
            total[place] = rows[end_row, place]
        count = 1
        while position < end:
            start = position
            stop = _end_of_word(data, wide, start, end)
            position = stop + 1
            size = stop - start
            if size == 0:
                continue
            first = _part(wide, start, size)
            second = _part(wide, start + 8, size - 8)
            third = _part(wide, start + 16, size - 16)
            if size == 4 and first == 0x3E732F3C:  # </s> ends a line
                break
            if _starts_with_label(data, start, stop):
                continue
            # No byte of a word is 0, so that its parts also say how long it is.
            state = ((first * _SPREAD ^ second) * _SPREAD ^ third) * _SPREAD
            slot = np.int64(state >> np.uint64(40)) & (kept.shape[0] - 1)
            is_short = size <= 8 * _PARTS
            if is_short and kept[slot, 0] == first and kept[slot, 1] == second and kept[slot, 2] == third:
                for place in range(dimension):
                    total[place] += kept_values[slot, sums + place]
                count += np.int64(kept[slot, _PARTS])  # type: ignore[assignment]
                continue
            for place in range(dimension):
                word_sum[place] = 0
            added = 0
            number = _find_word(data, start, stop, word_bytes, word_bounds, word_slots)
            if number >= 0:
                for place in range(dimension):
                    word_sum[place] += rows[number, place]
                added += 1
            added += _add_ngrams(
                data,
                start,
                stop,
                rows,
                ngram_rows,
                ngram_bits,
                min_ngram,
                max_ngram,
                padded,
                word_sum,
            )
            if is_short:
                kept[slot, 0] = first
                kept[slot, 1] = second
                kept[slot, 2] = third
                kept[slot, _PARTS] = added
                for place in range(dimension):
                    kept_values[slot, sums + place] = word_sum[place]
            for place in range(dimension):
                total[place] += word_sum[place]
            count += added
        for place in range(dimension):
            vector[place] = total[place] / count
        _score(vector, tree, nodes, labels[text], scores[text])
    return labels, scores
