"""Lines and paragraphs of many texts, and which of them repeat an earlier one of their text.

A hash leads to an earlier line that could be equal; equality itself is compared character by character.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel
from pipelines.text.code_points import BREAK, SPACE, TERMINAL, Bytes, Characters, Codes, Index
from ringlake.base.seeds import GOLDEN

SHORT_LINE_CHARS = 30

_Counts = npt.NDArray[np.int64]
_Slots = npt.NDArray[np.int32]

_FEED, _RETURN, _HYPHEN, _DOT, _BULLET, _ELLIPSIS = 0x0A, 0x0D, 0x2D, 0x2E, 0x2022, 0x2026
_SPREAD = np.uint64(GOLDEN)
_HIGH = np.uint64(32)
_INT32_MAX = 2**31 - 1

# Where lines lie in the hash table depends on this number, what is counted does not; nobody who writes a text
# can know it and make all lines fall together.
_MULTIPLIER = np.uint64(secrets.randbits(64) | 1)

# Columns of the counts.
_LINES, _BULLETS, _ELLIPSES = 0, 1, 2
_FEEDS, _FILLED, _ENDED, _SHORT, _FILLED_CHARS, _REPEATED_FILLED_CHARS = 3, 4, 5, 6, 7, 8
_RUNS, _REPEATED_RUNS, _REPEATED_RUN_CHARS = 9, 10, 11
_PARAGRAPHS, _REPEATED_PARAGRAPHS, _REPEATED_PARAGRAPH_CHARS = 12, 13, 14
_NUM_COLUMNS = 15


@dataclass(frozen=True)
class Lines:
    """What is counted in the lines of some texts, each int64 of shape (texts,); lengths are in characters.

    Lines by `str.splitlines`:
        num_lines: All of them, blank ones too.
        num_bullets: Those that begin with a bullet or hyphen, white space aside.
        num_ellipses: Those that end with an ellipsis, white space aside.

    Lines between line feeds that are not blank ("filled"), as they stand:
        num_feeds: Line feeds.
        num_filled: Such lines.
        num_ended: Those that end with a terminal mark.
        num_short: Those of at most 30 characters.
        filled_chars: Their characters.
        repeated_filled_chars: Characters of those that occurred before in the text.

    Parts between runs of line feeds (at a text's ends a part can be empty):
        num_runs: Such parts.
        num_repeated_runs: Those that occurred before in the text.
        repeated_run_chars: Characters of these.

    Paragraphs: parts of the stripped text between two or more line feeds:
        num_paragraphs: Such parts.
        num_repeated_paragraphs: Those that occurred before in the text.
        repeated_paragraph_chars: Characters of these.

    Every filled line, for those who look closer:
        starts, ends: Where it begins and ends, int64 of shape (filled lines,).
        repeated: Whether it occurred before in its text, bool of shape (filled lines,).
        bounds: Filled lines of each text, int64 of shape (texts + 1,).
    """

    num_lines: Index
    num_bullets: Index
    num_ellipses: Index
    num_feeds: Index
    num_filled: Index
    num_ended: Index
    num_short: Index
    filled_chars: Index
    repeated_filled_chars: Index
    num_runs: Index
    num_repeated_runs: Index
    repeated_run_chars: Index
    num_paragraphs: Index
    num_repeated_paragraphs: Index
    repeated_paragraph_chars: Index
    starts: Index
    ends: Index
    repeated: npt.NDArray[np.bool_]
    bounds: Index


def count_lines(characters: Characters) -> Lines:
    """Counts lines and paragraphs of some texts."""
    codes, kinds, bounds = characters.codes, characters.kinds, characters.bounds
    counts, starts, ends, repeated = _count(codes, kinds, bounds, _MULTIPLIER)
    filled = np.concatenate(([0], np.cumsum(counts[:, _FILLED])))
    return Lines(*[*np.ascontiguousarray(counts.T), starts, ends, repeated, filled])


@kernel
def _first_equal(
    slots: _Slots, base: int, mask: int, state: np.uint64, codes: Codes, starts: Index, ends: Index, item: int
) -> int:
    """The earliest item equal to this one; the item itself, which is remembered, if there is none.

    A slot holds base + item; what is below base belongs to an earlier use of the table.
    """
    start, length = starts[item], ends[item] - starts[item]
    slot = np.int64((state * _SPREAD) >> _HIGH) & mask
    while slots[slot] >= base:
        other = slots[slot] - base
        if ends[other] - starts[other] == length:
            place = starts[other]
            index = 0
            while index < length and codes[place + index] == codes[start + index]:
                index += 1
            if index == length:
                return other
        slot = (slot + 1) & mask
    slots[slot] = base + item
    return item


@kernel
def _table_mask(size: int) -> int:
    """Slots less one of a table at most half full: a power of two less one."""
    mask = 7
    while mask < 2 * size:
        mask = 2 * mask + 1
    return mask


@kernel
def _split_lines(codes: Codes, kinds: Bytes, start: int, end: int, counts: _Counts) -> None:
    """Lines as `str.splitlines` has them."""
    first = -1  # first and last character of the line that is no white space
    last = -1
    line = start
    index = start
    while index <= end:
        if index == end and line == end:
            break
        if index == end or (kinds[index] & BREAK) != 0:
            counts[_LINES] += 1
            if first >= 0:
                counts[_BULLETS] += codes[first] == _BULLET or codes[first] == _HYPHEN
                dots = (
                    last - 2 >= line
                    and codes[last] == _DOT
                    and codes[last - 1] == _DOT
                    and codes[last - 2] == _DOT
                )
                counts[_ELLIPSES] += codes[last] == _ELLIPSIS or dots
            if index + 1 < end and codes[index] == _RETURN and codes[index + 1] == _FEED:
                index += 1
            line = index + 1
            first = -1
        elif (kinds[index] & SPACE) == 0:
            last = index
            if first < 0:
                first = index
        index += 1


@kernel
def _count(
    codes: Codes, kinds: Bytes, bounds: Index, multiplier: np.uint64
) -> tuple[_Counts, Index, Index, npt.NDArray[np.bool_]]:
    num_texts = bounds.size - 1
    counts = np.zeros((num_texts, _NUM_COLUMNS), np.int64)
    most = 0
    for text in range(num_texts):
        feeds = 0
        for index in range(bounds[text], bounds[text + 1]):
            feeds += codes[index] == _FEED
        counts[text, _FEEDS] = feeds
        most = max(most, feeds + 1)
    num_lines = counts[:, _FEEDS].sum() + num_texts
    # Parts between runs of line feeds and, behind them, the empty part; then the paragraphs.
    starts = np.empty(most + 1, np.int64)
    ends = np.empty(most + 1, np.int64)
    filled_starts = np.empty(num_lines, np.int64)
    filled_ends = np.empty(num_lines, np.int64)
    repeated = np.zeros(num_lines, np.bool_)
    slots = np.zeros(_table_mask(most + 1) + 1, np.int32)
    base = 1
    num_filled = 0
    for text in range(num_texts):
        start, end = bounds[text], bounds[text + 1]
        row = counts[text]
        _split_lines(codes, kinds, start, end, row)
        mask = _table_mask(row[_FEEDS] + 1)
        if base > _INT32_MAX - 2 * (row[_FEEDS] + 2):
            slots[:] = 0
            base = 1

        item = 0
        line = start
        filled = False
        state = np.uint64(0)
        for index in range(start, end + 1):
            if index < end and codes[index] != _FEED:
                state = (state ^ np.uint64(codes[index])) * multiplier
                filled |= (kinds[index] & SPACE) == 0
                continue
            length = index - line
            if length > 0 or index == end or line == start:
                # A part between runs: every line that is not empty, and an empty one at either end.
                row[_RUNS] += 1
                if length == 0:
                    row[_REPEATED_RUNS] += row[_RUNS] > 1 and codes[start] == _FEED
                else:
                    starts[item] = line
                    ends[item] = index
                    known = _first_equal(slots, base, mask, state, codes, starts, ends, item) != item
                    item += 1
                    if known:
                        row[_REPEATED_RUNS] += 1
                        row[_REPEATED_RUN_CHARS] += length
                    if filled:
                        row[_FILLED] += 1
                        row[_FILLED_CHARS] += length
                        row[_SHORT] += length <= SHORT_LINE_CHARS
                        row[_ENDED] += (kinds[index - 1] & TERMINAL) != 0
                        filled_starts[num_filled] = line
                        filled_ends[num_filled] = index
                        repeated[num_filled] = known
                        num_filled += 1
                        if known:
                            row[_REPEATED_FILLED_CHARS] += length
            line = index + 1
            filled = False
            state = np.uint64(0)
        base += item

        while start < end and (kinds[start] & SPACE) != 0:
            start += 1
        while end > start and (kinds[end - 1] & SPACE) != 0:
            end -= 1
        item = 0
        line = start
        state = np.uint64(0)
        index = start
        while index <= end:
            if index == end or (codes[index] == _FEED and index + 1 < end and codes[index + 1] == _FEED):
                starts[item] = line
                ends[item] = index
                if _first_equal(slots, base, mask, state, codes, starts, ends, item) != item:
                    row[_REPEATED_PARAGRAPHS] += 1
                    row[_REPEATED_PARAGRAPH_CHARS] += index - line
                item += 1
                while index < end and codes[index] == _FEED:
                    index += 1
                if index == end:
                    break
                line = index
                state = np.uint64(0)
            state = (state ^ np.uint64(codes[index])) * multiplier
            index += 1
        row[_PARAGRAPHS] = item
        base += item
    return counts, filled_starts[:num_filled], filled_ends[:num_filled], repeated[:num_filled]
