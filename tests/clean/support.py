"""Measuring a text by a rule's name, and deciding by its published threshold."""

from __future__ import annotations

from pipelines.clean.rules import RULES
from pipelines.clean.stats import TextStats


def measure(rule: str, text: str, splitter: str = "word_or_punct") -> float:
    return RULES[rule].measure(TextStats(text, splitter))


def passes(rule: str, text: str, splitter: str = "word_or_punct") -> bool:
    found = RULES[rule]
    return not found.fails(found.measure(TextStats(text, splitter)), found.threshold)
