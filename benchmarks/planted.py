"""Near-duplicates whose similarity is known: copies of documents with some words replaced."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

NGRAM = 5

BANDS = ((0.72, 0.8), (0.8, 0.9), (0.9, 1.0))
"""Jaccard similarities that recall is told for: from FineWeb's threshold (1/14)^(1/8) on."""

_WORD = re.compile(r"\w+")
_LEAST_WORDS, _MOST_WORDS = 60, 3000


@dataclass(frozen=True)
class Pair:
    """A document and its copy.

    Attributes:
        first: Position of the document.
        second: Position of the copy.
        similarity: Jaccard similarity of their sets of 5-grams of lower-cased words.
    """

    first: int
    second: int
    similarity: float


def plant(documents: Sequence[str], num_pairs: int, seed: int = 7) -> tuple[list[str], list[Pair]]:
    """The documents with copies of some of them behind, spread over the bands of similarity.

    Words at random positions are replaced by words that no text has: w of n shingles that go leave a
    similarity of (n - w) / (n + w).
    """
    draw = random.Random(seed)
    usable = [
        n for n, text in enumerate(documents) if _LEAST_WORDS <= len(_WORD.findall(text)) <= _MOST_WORDS
    ]
    draw.shuffle(usable)
    texts, pairs = list(documents), []
    wanted = -(-num_pairs // len(BANDS))
    counts = [0] * len(BANDS)
    for number in usable:
        open_bands = [index for index, count in enumerate(counts) if count < wanted]
        if not open_bands:
            break
        low, high = BANDS[draw.choice(open_bands)]
        copy = perturbed(documents[number], draw.uniform(low, high), draw)
        similarity = jaccard(documents[number], copy)
        index = band_of(similarity)
        if index is None or counts[index] >= wanted or similarity == 1:
            continue
        counts[index] += 1
        pairs.append(Pair(number, len(texts), similarity))
        texts.append(copy)
    return texts, pairs


def perturbed(text: str, similarity: float, draw: random.Random) -> str:
    """A copy with about that similarity."""
    spans = [match.span() for match in _WORD.finditer(text)]
    shingles = max(1, len(spans) - NGRAM + 1)
    lost = shingles * (1 - similarity) / (1 + similarity)
    count = max(1, round(lost / NGRAM))
    copy = text
    for start, end in sorted(spans[at] for at in draw.sample(range(len(spans)), min(count, len(spans))))[
        ::-1
    ]:
        copy = f"{copy[:start]}zq{draw.randrange(10**9):09d}{copy[end:]}"
    return copy


def shingles_of(text: str) -> set[tuple[str, ...]]:
    """The set of 5-grams of lower-cased words."""
    words = _WORD.findall(text.lower())
    return {tuple(words[at : at + NGRAM]) for at in range(max(1, len(words) - NGRAM + 1))}


def jaccard(one: str, other: str) -> float:
    """Similarity of two texts."""
    first, second = shingles_of(one), shingles_of(other)
    return len(first & second) / len(first | second)


def band_of(similarity: float) -> int | None:
    """Number of the band of a similarity; None if it is below all."""
    for index, (low, high) in enumerate(BANDS):
        if low <= similarity < high or similarity == high == 1:
            return index
    return None


def recall(pairs: Sequence[Pair], clusters: dict[int, int], bands: int, rows: int) -> list[dict[str, float]]:
    """For each band the share of its pairs that are in one cluster, and what the formula promises.

    Args:
        pairs: What was planted.
        clusters: Cluster of each document that is in one with others.
        bands: Of the hashing.
        rows: Of a band.
    """
    found = []
    for index in range(len(BANDS)):
        own = [pair for pair in pairs if band_of(pair.similarity) == index]
        hits = [
            pair
            for pair in own
            if pair.first in clusters and clusters[pair.first] == clusters.get(pair.second, -1)
        ]
        promised = [1 - (1 - pair.similarity**rows) ** bands for pair in own]
        found.append(
            {
                "pairs": len(own),
                "recall": len(hits) / len(own) if own else float("nan"),
                "promised": sum(promised) / len(own) if own else float("nan"),
            }
        )
    return found
