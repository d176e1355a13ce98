"""The verdict in numbers: recipes side by side, each pair with its interval, what a group of texts says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.compare.held_out import HeldOutText
from pipelines.compare.statistics import Difference, Floats, bits_per_byte, difference, power

NO_DIFFERENCE = "no difference"

SMALLEST_GROUP = 10
"""Texts of a source or language of which an interval is told."""

MOST_GROUPS = 30
"""Sources that are told of one by one, those of most bytes; the others are told of together."""

OTHERS = "(all others)"


@dataclass(frozen=True)
class Scores:
    """What all models say of all texts.

    Attributes:
        nats: By recipe, (seeds, texts).
        texts: The texts.
        seeds: The seeds.
    """

    nats: Mapping[str, Floats]
    texts: Sequence[HeldOutText]
    seeds: Sequence[int]

    @property
    def num_bytes(self) -> Floats:
        """Bytes of each text, (texts,)."""
        return np.array([text.num_bytes for text in self.texts], dtype=np.float64)


def judge(scores: Scores, confidence: float, budget: int) -> dict[str, Any]:
    """The verdict as JSON values.

    Of more than two recipes every pair is compared, each with a confidence that makes all intervals hold
    together as promised (Bonferroni); the best recipe is the verdict if it is better than every other one.

    Args:
        scores: What the models say.
        confidence: Probability with which no verdict is given between recipes that do not differ, at least.
        budget: Training tokens of each model.
    """
    letters = list(scores.nats)
    pairs = list(itertools.combinations(letters, 2))
    each = 1 - (1 - confidence) / len(pairs)
    means = {letter: bits_per_byte(scores.nats[letter], scores.num_bytes) for letter in letters}
    order = sorted(letters, key=lambda letter: (float(means[letter].mean()), letter))
    found = [_pair(scores, first, second, each, budget) for first, second in pairs]
    best, second = order[0], order[1]
    decided = all(pair["verdict"] == best for pair in found if best in pair["recipes"])
    shown = next(pair for pair in found if set(pair["recipes"]) == {best, second})
    return {
        "verdict": best if decided else NO_DIFFERENCE,
        "difference_bits_per_byte": shown["difference_bits_per_byte"],
        "interval": shown["interval"],
        "confidence": confidence,
        "seeds": len(scores.seeds),
        "compared": shown["recipes"],
        "power": shown["power"],
        "pairs": found,
        "bits_per_byte": {
            letter: {"mean": float(values.mean()), "by_seed": [float(value) for value in values]}
            for letter, values in means.items()
        },
        "by_language": _groups(scores, [text.lang for text in scores.texts], confidence, pairs),
        "by_source": _groups(scores, [text.source for text in scores.texts], confidence, pairs),
    }


def _pair(scores: Scores, first: str, second: str, confidence: float, budget: int) -> dict[str, Any]:
    found = difference(scores.nats[first], scores.nats[second], scores.num_bytes, confidence)
    needs = power(found, len(scores.seeds), confidence)
    factor = needs.document_factor
    more = {
        "detectable_bits_per_byte": needs.detectable,
        "seeds": needs.seeds,
        "tokens": None if needs.token_factor is None else math.ceil(needs.token_factor * budget),
        "documents": None if math.isinf(factor) else math.ceil(factor * len(scores.texts)),
    }
    return {
        "recipes": [first, second],
        "verdict": {-1: first, 0: NO_DIFFERENCE, 1: second}[found.verdict],
        "difference_bits_per_byte": found.mean,
        "interval": [found.low, found.high],
        "confidence": confidence,
        "by_seed": list(found.by_seed),
        "power": more,
        "told": told(found, first, second, len(scores.seeds), budget, more),
    }


def told(
    found: Difference, first: str, second: str, num_seeds: int, budget: int, more: Mapping[str, Any]
) -> str:
    """The verdict on a pair in words."""
    if found.verdict:
        better, worse = (first, second) if found.verdict < 0 else (second, first)
        return (
            f"{better} is better than {worse}: {abs(found.mean):.4f} bits per byte less "
            f"({min(abs(found.low), abs(found.high)):.4f} to {max(abs(found.low), abs(found.high)):.4f})"
        )
    if found.mean == 0 and found.low == found.high == 0:
        return f"{first} and {second} give the same models: there is nothing to tell apart"
    head = (
        f"{budget:,} tokens and {num_seeds} seeds cannot tell {first} and {second} apart: the difference is "
        f"{found.mean:+.4f} bits per byte ({found.low:+.4f} to {found.high:+.4f}); one of "
        f"{more['detectable_bits_per_byte']:.4f} would probably have been found"
    )
    ways = []
    if more["seeds"] is not None:
        ways.append(f"{more['seeds']:,} seeds")
    if more["tokens"] is not None:
        ways.append(f"{more['tokens']:,} tokens, if the spread over seeds falls as one over the tokens")
    if not ways and more["documents"] is not None:
        ways.append(f"about {more['documents']:,} held-out texts, but no number of seeds alone,")
    if ways:
        return f"{head}. If the true difference is as large as that, {' or '.join(ways)} would show it"
    return head


def _groups(
    scores: Scores, names: Sequence[str], confidence: float, pairs: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """What the texts of each group say, those of most bytes first; no correction is made for their number."""
    num_bytes = scores.num_bytes
    sizes: dict[str, float] = {}
    for name, size in zip(names, num_bytes, strict=True):
        sizes[name] = sizes.get(name, 0.0) + float(size)
    shown = sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_GROUPS]
    kept = [name if name in shown else OTHERS for name in names]
    found = []
    for name in [*shown, *([OTHERS] if OTHERS in kept else [])]:
        chosen = np.array([each == name for each in kept])
        group = {letter: nats[:, chosen] for letter, nats in scores.nats.items()}
        entry: dict[str, Any] = {
            "name": name,
            "texts": int(chosen.sum()),
            "bytes": int(num_bytes[chosen].sum()),
            "bits_per_byte": {
                letter: float(bits_per_byte(nats, num_bytes[chosen]).mean()) for letter, nats in group.items()
            },
            "differences": [],
        }
        if chosen.sum() >= SMALLEST_GROUP:
            for first, second in pairs:
                each = difference(group[first], group[second], num_bytes[chosen], confidence)
                entry["differences"].append(
                    {
                        "recipes": [first, second],
                        "difference_bits_per_byte": each.mean,
                        "interval": [each.low, each.high],
                    }
                )
        found.append(entry)
    return found
