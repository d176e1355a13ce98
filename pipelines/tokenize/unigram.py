"""Training the Unigram model over the bytes of words.

Kudo, "Subword Regularization" (ACL 2018, arXiv 1804.10959), section 3.2, with the constants of SentencePiece
(Kudo and Richardson, EMNLP 2018). The trainer of `tokenizers` adds floats in the order of a hash map with a
random seed, so that no two runs give the same scores; here every sum has one order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel
from ringlake.base.seeds import GOLDEN, MIX_1

MAX_PIECE_BYTES = 16
"""Longest piece: SentencePiece's max_sentencepiece_length."""

MAX_SEED_PIECES = 1_000_000
"""Pieces that training begins with: SentencePiece's seed_sentencepiece_size."""

EM_STEPS = 2
"""Rounds of expectation and maximisation between two prunings (SentencePiece's num_sub_iterations)."""

SHRINKING_FACTOR = 0.75
"""Share of the pieces that a pruning leaves (SentencePiece's shrinking_factor)."""

MIN_EXPECTED = 0.5
"""Pieces expected less often are dropped (SentencePiece's kExpectedFrequencyThreshold)."""

MAX_SUBSTRINGS = 2**22
"""Substrings that are counted at once, at about 100 bytes each: words have up to 16 for each byte."""

_BASE, _MIX = np.uint64(GOLDEN), np.uint64(MIX_1)
_SHIFT = np.uint64(31)
_EMPTY = np.uint64(0)

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Words:
    """Words behind each other, where each begins (and the end), and how often each occurs."""

    data: Bytes
    bounds: Ints
    counts: Floats


@dataclass(frozen=True)
class _Pieces:
    """Pieces by hash, with their place in `data`; and the table that finds them."""

    hashes: U64
    begins: Ints
    lengths: Ints

    def kept(self, which: Ints) -> _Pieces:
        return _Pieces(self.hashes[which], self.begins[which], self.lengths[which])

    def table(self) -> tuple[U64, Ints]:
        size = 1 << max(4, (3 * len(self.hashes)).bit_length())
        keys, values = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
        _insert(keys, values, self.hashes)
        return keys, values


def train_unigram(
    counts: Mapping[bytes, int],
    num_pieces: int,
    without: Collection[bytes] = (),
    say: Callable[[str], None] = lambda _: None,
) -> list[tuple[bytes, float]]:
    """Pieces with their log probabilities, the likeliest first; every byte is among them.

    Args:
        counts: Words, in any order, with how often each occurs.
        num_pieces: Pieces wanted, at least 256; there are fewer if the words do not have as many.
        without: What is not to be a piece; of several bytes each.
        say: Told how many pieces are left after each pruning.
    """
    # Every byte is a word that occurs once, so that no byte is without a piece.
    given = sorted(word for word in counts if word)
    words = [bytes([value]) for value in range(256)] + given
    data = np.frombuffer(b"".join(words), np.uint8)
    bounds = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
    corpus = _Words(data, bounds, np.array([0] * 256 + [counts[word] for word in given], np.float64))
    pieces, scores = _seed(corpus, max(num_pieces, 256), without)
    say(f"{len(scores):,} candidates from {len(data) / 1e6:,.1f} MB of distinct words")
    aim = max(num_pieces, int(num_pieces * 1.1))
    while True:
        for _ in range(EM_STEPS):
            expected = _expect(corpus, pieces, scores)
            pieces, expected = _drop(pieces, expected)
            scores = _log_probabilities(expected)
        if len(scores) <= aim:
            break
        left = max(aim, int(len(scores) * SHRINKING_FACTOR))
        kept = _prune(corpus, pieces, scores, _expect(corpus, pieces, scores), left)
        pieces, scores = pieces.kept(kept), scores[kept]
        say(f"{len(scores):,} pieces left, {num_pieces:,} wanted")
    texts = [
        bytes(data[begin : begin + length])
        for begin, length in zip(pieces.begins.tolist(), pieces.lengths.tolist(), strict=True)
    ]
    order = sorted(range(len(texts)), key=lambda number: (len(texts[number]) > 1, -scores[number]))
    chosen = order[:num_pieces]
    return sorted(((texts[number], float(scores[number])) for number in chosen), key=lambda p: (-p[1], p[0]))


def _seed(words: _Words, num_pieces: int, without: Collection[bytes]) -> tuple[_Pieces, Floats]:
    """The bytes and the substrings that occur twice, those that cover most of the text first."""
    most = max(MAX_SEED_PIECES, num_pieces)
    excluded = np.array([_hash_of(np.frombuffer(piece, np.uint8)) for piece in without], np.uint64)
    total = _num_substrings(words.bounds, MAX_PIECE_BYTES)
    bits = max(0, int(total - 1).bit_length() - (MAX_SUBSTRINGS.bit_length() - 1))
    found: list[tuple[U64, Ints, Ints, Floats]] = []
    held = 0
    # Each pass counts the substrings whose hashes begin with the same bits: memory does not grow with words.
    for part in range(1 << bits):
        found.append(_counted(words, excluded, np.uint64(part), bits))
        held += len(found[-1][0])
        if held > 4 * most or part == (1 << bits) - 1:
            hashes, begins, lengths, weight = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
            byte = lengths == 1
            longer = np.flatnonzero(~byte)
            longer = longer[np.lexsort((hashes[longer], -weight[longer]))][:most]
            chosen = np.concatenate([np.flatnonzero(byte), longer])
            found = [(hashes[chosen], begins[chosen], lengths[chosen], weight[chosen])]
            held = len(chosen)
    hashes, begins, lengths, weight = found[0]
    floor = np.maximum(weight, 1.0)
    return _Pieces(hashes, begins, lengths), np.log(floor / floor.sum())


def _counted(words: _Words, excluded: U64, part: np.uint64, bits: int) -> tuple[U64, Ints, Ints, Floats]:
    """Bytes and repeated substrings with hashes of one part: hash, first occurrence, length, weight."""
    size = _num_of_part(words.data, words.bounds, MAX_PIECE_BYTES, part, bits)
    hashes, begins, lengths, which = _substrings(words.data, words.bounds, MAX_PIECE_BYTES, part, bits, size)
    # The first occurrence of each substring, in the order of the words, stands for it.
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    frequency = np.bincount(inverse, words.counts[which], len(unique))
    lengths, begins = lengths[first].astype(np.int64), begins[first]
    weight = frequency * lengths
    kept = (lengths == 1) | ((frequency >= 2) & ~np.isin(unique, excluded))
    return unique[kept], begins[kept], lengths[kept], weight[kept]


def _expect(words: _Words, pieces: _Pieces, scores: Floats) -> Floats:
    return _expected(words.data, words.bounds, words.counts, *pieces.table(), scores, MAX_PIECE_BYTES)


def _drop(pieces: _Pieces, expected: Floats) -> tuple[_Pieces, Floats]:
    kept = np.flatnonzero((expected >= MIN_EXPECTED) | (pieces.lengths == 1))
    return pieces.kept(kept), np.maximum(expected[kept], MIN_EXPECTED)


def _log_probabilities(expected: Floats) -> Floats:
    """Expected logarithms under a Dirichlet posterior, which favours few pieces, as in SentencePiece."""
    digamma = _digamma(expected)
    return digamma - _digamma(np.array([math.fsum(expected)]))[0]


def _prune(words: _Words, pieces: _Pieces, scores: Floats, expected: Floats, left: int) -> Ints:
    """The pieces whose loss would cost most likelihood, in order; bytes always stay."""
    cost = _costs(words.data, pieces.begins, pieces.lengths, *pieces.table(), scores, expected)
    order = np.lexsort((pieces.hashes, -cost))
    kept = order[: max(left, int((pieces.lengths == 1).sum()))]
    return np.sort(kept[cost[kept] > -np.inf])


def _digamma(values: Floats) -> Floats:
    """The derivative of ln Gamma: seven steps of the recurrence, then the asymptotic series."""
    result, x = np.zeros_like(values), values.copy()
    for _ in range(7):
        result -= 1 / x
        x = x + 1
    x = x - 0.5
    square = 1 / (x * x)
    series = square / 24 - 7 * square**2 / 960 + 31 * square**3 / 8064 - 127 * square**4 / 30720
    return result + np.log(x) + series


@kernel
def _step(state: np.uint64, byte: np.uint8) -> np.uint64:
    state = (state + np.uint64(byte) + np.uint64(1)) * _BASE
    state = (state ^ (state >> _SHIFT)) * _MIX
    return state ^ (state >> _SHIFT)


@kernel
def _hash_of(piece: Bytes) -> np.uint64:
    state = _EMPTY
    for value in piece:
        state = _step(state, value)
    return state


@kernel
def _num_substrings(bounds: Ints, longest: int) -> int:
    total = 0
    for word in range(len(bounds) - 1):
        size = bounds[word + 1] - bounds[word]
        for begin in range(size):
            total += min(longest, size - begin)
    return total


@kernel
def _in_part(state: np.uint64, part: np.uint64, bits: int) -> bool:
    return bits == 0 or (state >> np.uint64(64 - bits)) == part


@kernel
def _num_of_part(data: Bytes, bounds: Ints, longest: int, part: np.uint64, bits: int) -> int:
    total = 0
    for word in range(len(bounds) - 1):
        for begin in range(bounds[word], bounds[word + 1]):
            state = _EMPTY
            for end in range(begin, min(begin + longest, bounds[word + 1])):
                state = _step(state, data[end])
                total += _in_part(state, part, bits)
    return total


@kernel
def _substrings(
    data: Bytes, bounds: Ints, longest: int, part: np.uint64, bits: int, total: int
) -> tuple[U64, Ints, Bytes, Ints]:
    """Hash, begin, length and word of all words' substrings whose hash begins with the bits of `part`."""
    hashes = np.empty(total, np.uint64)
    begins, lengths, which = np.empty(total, np.int64), np.empty(total, np.uint8), np.empty(total, np.int64)
    place = 0
    for word in range(len(bounds) - 1):
        for begin in range(bounds[word], bounds[word + 1]):
            state = _EMPTY
            for end in range(begin, min(begin + longest, bounds[word + 1])):
                state = _step(state, data[end])
                if _in_part(state, part, bits):
                    hashes[place], begins[place], lengths[place] = state, begin, end + 1 - begin
                    which[place] = word
                    place += 1
    return hashes, begins, lengths, which


@kernel
def _insert(keys: U64, values: Ints, hashes: U64) -> None:
    mask = len(keys) - 1
    for number in range(len(hashes)):
        place = np.int64(hashes[number] & np.uint64(mask))
        while values[place] >= 0:
            place = (place + 1) & mask
        keys[place], values[place] = hashes[number], number


@kernel
def _find(keys: U64, values: Ints, wanted: np.uint64) -> int:
    mask = len(keys) - 1
    place = np.int64(wanted & np.uint64(mask))
    while values[place] >= 0:
        if keys[place] == wanted:
            return values[place]
        place = (place + 1) & mask
    return -1


@kernel
def _log_add(first: float, second: float) -> float:
    high, low = max(first, second), min(first, second)
    if low == -np.inf:
        return high
    return high + np.log1p(np.exp(low - high))


@kernel
def _expected(
    data: Bytes, bounds: Ints, counts: Floats, keys: U64, values: Ints, scores: Floats, longest: int
) -> Floats:
    """How often each piece is expected, by the forward-backward algorithm over each word's segmentations."""
    expected = np.zeros(len(scores), np.float64)
    most = 0
    for word in range(len(bounds) - 1):
        most = max(most, bounds[word + 1] - bounds[word])
    forward, backward = np.empty(most + 1, np.float64), np.empty(most + 1, np.float64)
    found = np.empty((most, longest), np.int64)
    for word in range(len(bounds) - 1):
        if counts[word] == 0:
            continue
        origin, size = bounds[word], bounds[word + 1] - bounds[word]
        forward[: size + 1], backward[: size + 1] = -np.inf, -np.inf
        forward[0], backward[size] = 0.0, 0.0
        for begin in range(size):
            state = _EMPTY
            for end in range(begin, min(begin + longest, size)):
                state = _step(state, data[origin + end])
                number = _find(keys, values, state)
                found[begin, end - begin] = number
                if number >= 0:
                    forward[end + 1] = _log_add(forward[end + 1], forward[begin] + scores[number])
        for begin in range(size - 1, -1, -1):
            for end in range(begin, min(begin + longest, size)):
                number = found[begin, end - begin]
                if number >= 0:
                    backward[begin] = _log_add(backward[begin], backward[end + 1] + scores[number])
        for begin in range(size):
            for end in range(begin, min(begin + longest, size)):
                number = found[begin, end - begin]
                if number >= 0:
                    share = forward[begin] + scores[number] + backward[end + 1] - forward[size]
                    expected[number] += counts[word] * np.exp(share)
    return expected


@kernel
def _costs(
    data: Bytes, begins: Ints, lengths: Ints, keys: U64, values: Ints, scores: Floats, expected: Floats
) -> Floats:
    """Likelihood lost with each piece, if what it stands for is segmented the next best way.

    -inf for a piece that is not the best segmentation of its own text: nothing is lost with it.
    """
    total = expected.sum()
    cost = np.empty(len(begins), np.float64)
    most = lengths.max() + 1
    best, back = np.empty(most, np.float64), np.empty(most, np.int64)
    for piece in range(len(begins)):
        origin, size = begins[piece], lengths[piece]
        if size == 1:
            # A byte has no other segmentation and always stays.
            cost[piece] = np.inf
            continue
        best[: size + 1] = -np.inf
        best[0] = 0.0
        for begin in range(size):
            state = _EMPTY
            for end in range(begin, size):
                state = _step(state, data[origin + end])
                if begin == 0 and end == size - 1:
                    continue
                number = _find(keys, values, state)
                if number >= 0 and best[begin] + scores[number] > best[end + 1]:
                    best[end + 1] = best[begin] + scores[number]
                    back[end + 1] = begin
        if best[size] > scores[piece]:
            cost[piece] = -np.inf
            continue
        frequency = expected[piece]
        parts, end, logs = 0, size, 0.0
        while end > 0:
            begin, state = back[end], _EMPTY
            for place in range(begin, end):
                state = _step(state, data[origin + place])
            logs += np.log(expected[_find(keys, values, state)] + frequency)
            parts += 1
            end = begin
        without = np.log(total + frequency * (parts - 1))
        cost[piece] = frequency / total * (np.log(frequency) - np.log(total) - (logs - parts * without))
    return cost
