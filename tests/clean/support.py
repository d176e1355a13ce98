"""Measuring a text by a rule's name, and deciding by its published threshold."""

from __future__ import annotations

import pyarrow as pa

from pipelines.clean.rules import RULES
from pipelines.clean.stats import BatchStats


def stats_of(text: str, splitter: str = "word_or_punct") -> BatchStats:
    return BatchStats(pa.array([text], pa.large_string()), splitter)


def measure(rule: str, text: str, splitter: str = "word_or_punct") -> float:
    return float(RULES[rule].measure(stats_of(text, splitter))[0])


def passes(rule: str, text: str, splitter: str = "word_or_punct") -> bool:
    found = RULES[rule]
    return not found.fails(found.measure(stats_of(text, splitter)), found.threshold)[0]
