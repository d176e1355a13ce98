"""Repeated words of many texts: Gopher's most frequent and duplicate n-grams, exactly, in one pass a text.

A hash only leads to an earlier n-gram that could be equal. Whether it is equal, is compared: a word by its
characters, an n-gram with its spaces by the first places of its first n - 1 words and of its last word, an
n-gram without spaces by its characters. So no value depends on a hash function, and none is an estimate.

Most n-grams of a text occur once, and most of them can be passed over without a look into a table:

- An n-gram with spaces occurs again only if the (n - 1)-grams at its beginning and its end do.
- An n-gram without spaces of WINDOW characters or more occurs again only if its first WINDOW characters
  do, which one small table of counters says of all sizes at once, now and then with a false yes.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

from pipelines.clean.words import Words
from pipelines.jit import kernel
from pipelines.text.code_points import Characters, Codes, Index
from ringlake.base.seeds import GOLDEN

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

_U64 = npt.NDArray[np.uint64]
_I32 = npt.NDArray[np.int32]

_FIRST_TOP, _LAST_TOP = TOP_SIZES[0], TOP_SIZES[-1]
_FIRST_DUPLICATE, _LAST_DUPLICATE = DUPLICATE_SIZES[0], DUPLICATE_SIZES[-1]
_WINDOW = 12
_WINDOW_SLOTS = 8  # counters a word
_SPREAD = np.uint64(GOLDEN)
_HIGH = np.uint64(32)
_ONE = np.uint64(1)
_INT32_MAX = 2**31 - 1

# Where n-grams lie in the hash tables depends on this number, what is counted does not; nobody who writes a
# text can know it and make all n-grams fall together.
_BASE = secrets.randbits(64) | 1


def repetition(characters: Characters, words: Words) -> Index:
    """Characters in repeated n-grams, int64 of shape (texts, 9).

    The first three columns are of the most frequent 2-, 3- and 4-gram, the earliest of equals: its length
    with a space between words, times its number. The others are of duplicate 5- to 10-grams: from the
    beginning on, an n-gram that occurred before counts its characters without spaces, and the search goes
    on behind it.
    """
    inverse = pow(_BASE, -1, 2**64)
    return _repetition(
        characters.codes, words.starts, words.ends, words.bounds, np.uint64(_BASE), np.uint64(inverse)
    )


@kernel
def _table_mask(size: int) -> int:
    """Slots less one of a table at most half full: a power of two less one."""
    mask = 7
    while mask < 2 * size:
        mask = 2 * mask + 1
    return mask


@kernel
def _compact(
    codes: Codes,
    starts: Index,
    ends: Index,
    base: np.uint64,
    inverse: np.uint64,
    packed: Codes,
    places: Index,
    prefixes: _U64,
    sums: _U64,
    shifts: _U64,
) -> None:
    """Writes the words of a text one behind the other into `packed`, without the white space between.

    Word k begins at places[k]. The hash of the characters from the beginning of word i to before place j is
    (prefixes[j] - sums[i]) * shifts[i]: a polynomial in base, whatever the words between are. Where place j
    begins word k, prefixes[j] is sums[k].
    """
    place = 0
    total = np.uint64(0)
    power = _ONE
    shift = _ONE
    for word in range(starts.size):
        places[word] = place
        sums[word] = total
        shifts[word] = shift
        for index in range(starts[word], ends[word]):
            code = codes[index]
            packed[place] = code
            prefixes[place] = total
            place += 1
            total += (np.uint64(code) + _ONE) * power
            power *= base
            shift *= inverse
    places[starts.size] = place
    prefixes[place] = total
    sums[starts.size] = total


@kernel
def _equal(packed: Codes, one: int, other: int, length: int) -> bool:
    index = 0
    while index < length and packed[one + index] == packed[other + index]:
        index += 1
    return index == length


@kernel
def _number_words(
    packed: Codes, places: Index, sums: _U64, shifts: _U64, slots: _I32, base: int, first: _I32, counts: _I32
) -> None:
    """For each word where it occurs first, and there how often it occurs."""
    num_words = places.size - 1
    mask = _table_mask(num_words)
    for word in range(num_words):
        start = places[word]
        length = places[word + 1] - start
        state = (sums[word + 1] - sums[word]) * shifts[word]
        slot = np.int64((state * _SPREAD) >> _HIGH) & mask
        counts[word] = 0
        first[word] = word
        while slots[slot] >= base:
            other = slots[slot] - base
            if places[other + 1] - places[other] == length and _equal(packed, places[other], start, length):
                first[word] = other
                break
            slot = (slot + 1) & mask
        if first[word] == word:
            slots[slot] = base + word
        counts[first[word]] += 1


@kernel
def _number_ngrams(
    size: int,
    words: _I32,
    shorter: _I32,
    shorter_counts: _I32,
    slots: _I32,
    base: int,
    first: _I32,
    counts: _I32,
) -> int:
    """For each n-gram where it occurs first, and there how often; the first place of the most frequent.

    An n-gram is its first n - 1 words (`shorter`) and its last (`words`).
    """
    num_ngrams = words.size - size + 1
    mask = _table_mask(words.size)
    best = 0
    is_repeated = False
    for place in range(num_ngrams):
        counts[place] = 0
        first[place] = place
        head = shorter[place]
        if shorter_counts[head] > 1 and shorter_counts[shorter[place + 1]] > 1:
            last = words[place + size - 1]
            state = (np.uint64(head) << _HIGH) | np.uint64(last)
            state = (state ^ (state >> _HIGH)) * _SPREAD
            slot = np.int64(state >> _HIGH) & mask
            while slots[slot] >= base:
                other = slots[slot] - base
                if shorter[other] == head and words[other + size - 1] == last:
                    first[place] = other
                    is_repeated = True
                    break
                slot = (slot + 1) & mask
            if first[place] == place:
                slots[slot] = base + place
        counts[first[place]] += 1
    if not is_repeated:
        return best
    for place in range(num_ngrams):
        if counts[place] > counts[best]:
            best = place
    return best


@kernel
def _mark_windows(
    places: Index,
    prefixes: _U64,
    sums: _U64,
    shifts: _U64,
    counters: npt.NDArray[np.uint8],
    windows: _I32,
    again: npt.NDArray[np.uint8],
) -> None:
    """again[k] = 1 if the first WINDOW characters from word k on may begin another word's window too."""
    num_words = places.size - 1
    mask = _table_mask(num_words * _WINDOW_SLOTS // 2)
    counters[: mask + 1] = 0
    num_windows = num_words
    while num_windows > 0 and places[num_windows - 1] + _WINDOW > places[num_words]:
        num_windows -= 1
    for word in range(num_windows):
        state = (prefixes[places[word] + _WINDOW] - sums[word]) * shifts[word]
        slot = np.int64((state * _SPREAD) >> _HIGH) & mask
        windows[word] = slot
        counters[slot] = min(counters[slot] + 1, 2)
    for word in range(num_windows):
        again[word] = counters[windows[word]] > 1
    again[num_windows:num_words] = 0


@kernel
def _choose(places: Index, again: npt.NDArray[np.uint8], chosen: _I32) -> int:
    """Writes to `chosen` the words at which a duplicate n-gram of any size may begin; how many there are.

    Longer n-grams are not among the short ones either: what the shortest size passes over, all do.
    """
    num_words = places.size - 1
    count = 0
    for word in range(num_words - _FIRST_DUPLICATE + 1):
        if again[word] or places[word + _FIRST_DUPLICATE] - places[word] < _WINDOW:
            chosen[count] = word
            count += 1
    return count


@kernel
def _duplicate_chars(
    size: int,
    packed: Codes,
    places: Index,
    sums: _U64,
    shifts: _U64,
    again: npt.NDArray[np.uint8],
    chosen: _I32,
    slots: _I32,
    base: int,
) -> int:
    """Characters in n-grams at `chosen` words that occurred before, none counted in two of them."""
    num_words = places.size - 1
    mask = _table_mask(num_words)
    num_chars = 0
    free = 0
    for word in chosen:
        if word < free:
            continue
        if word > num_words - size:
            break
        start = places[word]
        length = places[word + size] - start
        if length >= _WINDOW and not again[word]:
            continue
        state = (sums[word + size] - sums[word]) * shifts[word]
        slot = np.int64((state * _SPREAD) >> _HIGH) & mask
        known = False
        while slots[slot] >= base:
            other = slots[slot] - base
            if places[other + size] - places[other] == length and _equal(
                packed, places[other], start, length
            ):
                known = True
                break
            slot = (slot + 1) & mask
        if known:
            num_chars += length
            free = word + size
        else:
            slots[slot] = base + word
    return num_chars


@kernel
def _repetition(
    codes: Codes, starts: Index, ends: Index, bounds: Index, base: np.uint64, inverse: np.uint64
) -> Index:
    num_texts = bounds.size - 1
    columns = _LAST_TOP - _FIRST_TOP + 1 + _LAST_DUPLICATE - _FIRST_DUPLICATE + 1
    result = np.zeros((num_texts, columns), np.int64)
    most_words = 0
    most_chars = 0
    for text in range(num_texts):
        first, last = bounds[text], bounds[text + 1]
        most_words = max(most_words, last - first)
        most_chars = max(most_chars, (ends[first:last] - starts[first:last]).sum())
    packed = np.empty(most_chars, np.uint32)
    places = np.empty(most_words + 1, np.int64)
    prefixes = np.empty(most_chars + 1, np.uint64)
    sums = np.empty(most_words + 1, np.uint64)
    shifts = np.empty(most_words + 1, np.uint64)
    words = np.empty(most_words, np.int32)
    firsts = np.empty((2, most_words), np.int32)
    counts = np.empty((2, most_words), np.int32)
    windows = np.empty(most_words, np.int32)
    again = np.empty(most_words, np.uint8)
    chosen = np.empty(most_words, np.int32)
    slots = np.zeros(_table_mask(most_words) + 1, np.int32)
    counters = np.empty(_table_mask(most_words * _WINDOW_SLOTS // 2) + 1, np.uint8)
    mark = 1  # slots below it belong to an earlier use of the table
    for text in range(num_texts):
        first, last = bounds[text], bounds[text + 1]
        size = last - first
        if size == 0:
            continue
        if mark > _INT32_MAX - (columns + 2) * size:
            slots[:] = 0
            mark = 1
        here = places[: size + 1]
        _compact(
            codes, starts[first:last], ends[first:last], base, inverse, packed, here, prefixes, sums, shifts
        )
        ids = words[:size]
        _number_words(packed, here, sums, shifts, slots, mark, ids, counts[0])
        mark += size
        shorter = ids
        for ngram in range(_FIRST_TOP, _LAST_TOP + 1):
            if size < ngram:
                break
            new, old = (ngram + 1) % 2, ngram % 2
            best = _number_ngrams(ngram, ids, shorter, counts[old], slots, mark, firsts[new], counts[new])
            mark += size
            shorter = firsts[new]
            length = here[best + ngram] - here[best] + ngram - 1
            result[text, ngram - _FIRST_TOP] = length * counts[new, best]
        if size < _FIRST_DUPLICATE:
            continue
        _mark_windows(here, prefixes, sums, shifts, counters, windows, again)
        candidates = chosen[: _choose(here, again, chosen)]
        for ngram in range(_FIRST_DUPLICATE, _LAST_DUPLICATE + 1):
            column = _LAST_TOP - _FIRST_TOP + 1 + ngram - _FIRST_DUPLICATE
            result[text, column] = _duplicate_chars(
                ngram, packed, here, sums, shifts, again, candidates, slots, mark
            )
            mark += size
    return result
