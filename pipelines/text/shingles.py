"""N-grams of a text as 64-bit hashes, and MinHash over them, straight from Arrow's string buffers.

A text is lower-cased by the caller. Its words are runs of word characters, with each character of a
script written without spaces a word of its own (`characters`). A shingle is n consecutive words; a
text of fewer than n words is one shingle, and a text without a word has none.

Where the unit is the character, each word character counts as a word, and so does each run of
separators between two of them, whatever it is made of.

Hashes are 64 bits wide and stand for their shingles: two different shingles of one pair of documents
collide with a probability below m^2 / 2^64 for m shingles, 1e-7 for a million of them. All
arithmetic is modulo 2^64 and there is no float in it, so that every machine computes the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel
from ringlake.base.seeds import GOLDEN, MIX_1, MIX_2

Bytes = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]

_SEPARATOR, _WORD, _LONE = 0, 1, 2
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_BASE, _MIX_1, _MIX_2 = np.uint64(GOLDEN), np.uint64(MIX_1), np.uint64(MIX_2)
_ONE = np.uint64(1)
_GAP = np.uint64(0xD6E8FEB86659FD93)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_LARGEST = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def _mix(value: np.uint64) -> np.uint64:
    """splitmix64's finaliser, see `ringlake.base.seeds`."""
    value = (value ^ (value >> _S30)) * _MIX_1
    value = (value ^ (value >> _S27)) * _MIX_2
    return value ^ (value >> _S31)


@kernel
def _words(data: Bytes, start: int, end: int, classes: Bytes, out: U64, characters: bool = False) -> int:
    """Hash of each word (or character) of data[start:end] into `out`; their number.

    A word is hashed byte by byte with FNV-1a (Fowler, Noll and Vo), then mixed. Bytes that are no
    UTF-8 separate words.
    """
    count = 0
    inside = False
    apart = False
    state = _FNV_OFFSET
    position = start
    while position < end:
        byte = data[position]
        if byte < 0x80:
            width = 1
            code = np.int64(byte)
        else:
            width, code = 1, np.int64(0x7FFFFFFF)
            if 0xC0 <= byte < 0xE0 and position + 1 < end:
                width = 2
                code = (np.int64(byte & 0x1F) << 6) | np.int64(data[position + 1] & 0x3F)
            elif 0xE0 <= byte < 0xF0 and position + 2 < end:
                width = 3
                code = (
                    (np.int64(byte & 0x0F) << 12)
                    | (np.int64(data[position + 1] & 0x3F) << 6)
                    | np.int64(data[position + 2] & 0x3F)
                )
            elif 0xF0 <= byte < 0xF8 and position + 3 < end:
                width = 4
                code = (
                    (np.int64(byte & 0x07) << 18)
                    | (np.int64(data[position + 1] & 0x3F) << 12)
                    | (np.int64(data[position + 2] & 0x3F) << 6)
                    | np.int64(data[position + 3] & 0x3F)
                )
        kind = classes[code] if code < classes.size else _SEPARATOR
        if characters:
            if kind == _SEPARATOR:
                apart = count > 0
            else:
                if apart:
                    out[count] = _GAP
                    count += 1
                    apart = False
                kind = _LONE
        if kind == _WORD:
            inside = True
            for index in range(position, position + width):
                state = (state ^ np.uint64(data[index])) * _FNV_PRIME
        else:
            if inside:
                out[count] = _mix(state)
                count += 1
                inside = False
                state = _FNV_OFFSET
            if kind != _SEPARATOR:
                for index in range(position, position + width):
                    state = (state ^ np.uint64(data[index])) * _FNV_PRIME
                out[count] = _mix(state)
                count += 1
                state = _FNV_OFFSET
        position += width
    if inside:
        out[count] = _mix(state)
        count += 1
    return count


@kernel
def _shingles(words: U64, num_words: int, ngram: int, out: U64) -> int:
    """Hash of each n-gram of words into `out`; their number. Polynomial in the words' hashes, mixed."""
    if num_words == 0:
        return 0
    length = min(ngram, num_words)
    state = np.uint64(0)
    power = _ONE
    for index in range(length):
        state = state * _BASE + words[index]
        power = power * _BASE
    out[0] = _mix(state)
    for index in range(length, num_words):
        state = state * _BASE + words[index] - words[index - length] * power
        out[index - length + 1] = _mix(state)
    return num_words - length + 1


@kernel
def _buffer_size(offsets: npt.NDArray[np.int64], characters: bool = False) -> int:
    """Words that the longest text can have: two bytes a word, at least, and one a character or gap."""
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return longest + 1 if characters else longest // 2 + 1


@kernel
def band_keys(
    data: Bytes,
    offsets: npt.NDArray[np.int64],
    classes: Bytes,
    ngram: int,
    characters: bool,
    multipliers: U64,
    increments: U64,
    bands: int,
) -> tuple[U64, npt.NDArray[np.int64]]:
    """The LSH keys of many texts.

    Args:
        data: Bytes of the lower-cased texts, one after another.
        offsets: Where each text begins and the last one ends, int64 of shape (texts + 1,).
        classes: See `characters.character_classes`.
        ngram: Words, or characters, in a shingle.
        characters: Whether the unit is the character.
        multipliers: Odd; permutation k maps x to multipliers[k] * x + increments[k] modulo 2^64.
        increments: As many.
        bands: Bands the permutations are divided into, in order and evenly.

    Returns:
        Keys, uint64 of shape (texts, bands), with their band mixed in, zero where a text has no
        shingle; and the number of shingles of each text, int64 of shape (texts,).
    """
    num_texts = offsets.size - 1
    num_values = multipliers.size
    rows = num_values // bands
    keys = np.zeros((num_texts, bands), np.uint64)
    counts = np.zeros(num_texts, np.int64)
    size = _buffer_size(offsets, characters)
    words = np.empty(size, np.uint64)
    shingles = np.empty(size, np.uint64)
    for text in range(num_texts):
        num_words = _words(data, offsets[text], offsets[text + 1], classes, words, characters)
        count = _shingles(words, num_words, ngram, shingles)
        counts[text] = count
        if count == 0:
            continue
        for band in range(bands):
            key = np.uint64(band)
            for value in range(band * rows, (band + 1) * rows):
                multiplier = multipliers[value]
                increment = increments[value]
                smallest = _LARGEST
                for index in range(count):
                    image = multiplier * shingles[index] + increment
                    if image < smallest:  # noqa: PLR1730 - min() loses the type
                        smallest = image
                key = _mix(key * _BASE + smallest)
            keys[text, band] = key
    return keys, counts


@kernel
def _distinct(values: U64, count: int) -> int:
    """Sorts values[:count] and moves the distinct ones to the front; their number."""
    values[:count].sort()
    kept = 0
    for index in range(count):
        if index == 0 or values[index] != values[index - 1]:
            values[kept] = values[index]
            kept += 1
    return kept


@kernel
def jaccard(
    data_a: Bytes,
    offsets_a: npt.NDArray[np.int64],
    data_b: Bytes,
    offsets_b: npt.NDArray[np.int64],
    classes: Bytes,
    ngram: int,
    characters: bool,
) -> npt.NDArray[np.float64]:
    """Jaccard similarity of the shingle sets of text i of a and text i of b.

    Args:
        data_a: Bytes of the lower-cased texts a; see `band_keys` for this and the others.
        offsets_a: Their offsets.
        data_b: Bytes of the lower-cased texts b.
        offsets_b: Their offsets, equally many.
        classes: See `characters.character_classes`.
        ngram: Words, or characters, in a shingle.
        characters: Whether the unit is the character.

    Returns:
        Size of the intersection over size of the union, float64; 0 where neither has a shingle.
    """
    num_pairs = offsets_a.size - 1
    result = np.zeros(num_pairs, np.float64)
    size = max(_buffer_size(offsets_a, characters), _buffer_size(offsets_b, characters))
    words = np.empty(size, np.uint64)
    set_a = np.empty(size, np.uint64)
    set_b = np.empty(size, np.uint64)
    for pair in range(num_pairs):
        num_words = _words(data_a, offsets_a[pair], offsets_a[pair + 1], classes, words, characters)
        size_a = _distinct(set_a, _shingles(words, num_words, ngram, set_a))
        num_words = _words(data_b, offsets_b[pair], offsets_b[pair + 1], classes, words, characters)
        size_b = _distinct(set_b, _shingles(words, num_words, ngram, set_b))
        index_a, index_b, common = 0, 0, 0
        while index_a < size_a and index_b < size_b:
            if set_a[index_a] == set_b[index_b]:
                common += 1
                index_a += 1
                index_b += 1
            elif set_a[index_a] < set_b[index_b]:
                index_a += 1
            else:
                index_b += 1
        union = size_a + size_b - common
        if union > 0:
            result[pair] = common / union
    return result


@kernel
def text_hashes(
    data: Bytes, offsets: npt.NDArray[np.int64], classes: Bytes
) -> tuple[U64, npt.NDArray[np.int64]]:
    """The hash of all words of each text together, as one shingle; and its number of words.

    Args:
        data: Bytes of the lower-cased texts; see `band_keys` for this and the others.
        offsets: Where each text begins and the last one ends.
        classes: See `characters.character_classes`.

    Returns:
        Hashes, uint64 of shape (texts,), zero for a text without a word; words, int64 of shape (texts,).
    """
    num_texts = offsets.size - 1
    hashes = np.zeros(num_texts, np.uint64)
    counts = np.zeros(num_texts, np.int64)
    words = np.empty(_buffer_size(offsets), np.uint64)
    whole = np.empty(1, np.uint64)
    for text in range(num_texts):
        counts[text] = _words(data, offsets[text], offsets[text + 1], classes, words)
        if _shingles(words, counts[text], counts[text], whole):
            hashes[text] = whole[0]
    return hashes, counts


@kernel
def ngram_hashes(
    data: Bytes, offsets: npt.NDArray[np.int64], classes: Bytes, ngram: int
) -> tuple[U64, npt.NDArray[np.int64]]:
    """All n-grams of the texts that have so many words, one text after another.

    Args:
        data: Bytes of the lower-cased texts; see `band_keys` for this and the others.
        offsets: Where each text begins and the last one ends.
        classes: See `characters.character_classes`.
        ngram: Words in an n-gram.

    Returns:
        Hashes, uint64; the number of them that each text has, int64 of shape (texts,).
    """
    num_texts = offsets.size - 1
    counts = np.zeros(num_texts, np.int64)
    size = _buffer_size(offsets)
    words = np.empty(size, np.uint64)
    shingles = np.empty(size, np.uint64)
    found = np.empty(1024, np.uint64)
    total = 0
    for text in range(num_texts):
        num_words = _words(data, offsets[text], offsets[text + 1], classes, words)
        if num_words < ngram:
            continue
        count = _shingles(words, num_words, ngram, shingles)
        if total + count > found.size:
            longer = np.empty(2 * (total + count), np.uint64)
            longer[:total] = found[:total]
            found = longer
        found[total : total + count] = shingles[:count]
        total += count
        counts[text] = count
    return found[:total], counts


@kernel
def find_ngrams(
    data: Bytes,
    offsets: npt.NDArray[np.int64],
    classes: Bytes,
    lists: npt.NDArray[np.int64],
    wanted: U64,
    starts: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the texts have n-grams of some lists, of which each has n-grams of one length.

    Args:
        data: Bytes of the lower-cased texts; see `band_keys` for this and the others.
        offsets: Where each text begins and the last one ends.
        classes: See `characters.character_classes`.
        lists: A row a list, int64 of shape (lists, 3): words in its n-grams; where its part of `starts`
            begins; how many bits a hash is shifted to the right to give its bucket.
        wanted: The hashes of all lists, one list after another, each in ascending order, no two alike.
        starts: For each list where in `wanted` its buckets 0, 1, 2, ... begin, and where the last one ends.

    Returns:
        The n-grams found, int64 of shape (4, found): number of the text, number of the n-gram's first word
        in it, number of the list, place in `wanted`. The words of each text, int64 of shape (texts,).
    """
    num_texts = offsets.size - 1
    num_words = np.zeros(num_texts, np.int64)
    size = _buffer_size(offsets)
    words = np.empty(size, np.uint64)
    shingles = np.empty(size, np.uint64)
    found = np.empty((4, 64), np.int64)
    total = 0
    for text in range(num_texts):
        num_words[text] = _words(data, offsets[text], offsets[text + 1], classes, words)
        for number in range(lists.shape[0]):
            ngram, first = lists[number, 0], lists[number, 1]
            shift = np.uint64(lists[number, 2])
            if num_words[text] < ngram:
                continue
            count = _shingles(words, num_words[text], ngram, shingles)
            for index in range(count):
                value = shingles[index]
                bucket = first + np.int64(value >> shift)
                place = np.int64(starts[bucket])
                end = np.int64(starts[bucket + 1])
                while place < end and wanted[place] < value:
                    place += 1
                if place < end and wanted[place] == value:
                    if total == found.shape[1]:
                        longer = np.empty((4, 2 * total), np.int64)
                        longer[:, :total] = found
                        found = longer
                    found[0, total] = text
                    found[1, total] = index
                    found[2, total] = number
                    found[3, total] = place
                    total += 1
    return found[:, :total], num_words
