"""The card's Markdown: hostile names show as they are, the front matter is YAML that says what is there."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.card.build import render, size_category
from ringlake.base.markdown import escaped

HOSTILE = '<script>|`*[x](javascript:0)\n---\n# "\u202e\x1b[31m'


def facts(**changes: Any) -> dict[str, Any]:
    row = {"name": HOSTILE, "documents": 5, "bytes": 1234, "tokens": None}
    groups = {"groups": 3, "rows": [row, {**row, "name": "en"}]}
    return {
        "name": HOSTILE,
        "license": None,
        "contact": HOSTILE,
        "description": HOSTILE,
        "totals": {"documents": 1500, "bytes": 10, "tokens": None},
        "splits": groups,
        "languages": groups,
        "sources": groups,
        "removed": [{"stage": "clean", "table": "rejected", "reason": HOSTILE, "rows": 3}],
        "personal_data": {"emails": 2},
        "rules": {"profile": "none", "items": ["a.min", "b.lines"], "thresholds": {"a.min": 0.5}},
        "deduplication": {"method": "exact"},
        "decontamination": {"sets": {HOSTILE: {"documents": 1}}},
        "repeats": None,
        "mixture": None,
        "tokenizer": None,
        "tables": {"corpus": {"version": 3, "rows": 5, "bytes": 9}},
        "extensions": {},
        "added": {},
        "code_version": "0.1.0+src.abc",
        **changes,
    }


def front_matter(card: str) -> dict[str, Any]:
    _, matter, _ = card.split("---\n", 2)
    value = yaml.safe_load(matter)
    assert isinstance(value, dict)
    return value


def test_hostile_names_stay_text() -> None:
    card = render(facts())
    assert "\x1b" not in card
    assert "\u202e" not in card
    assert "<script>" not in card.partition("\n---\n")[2]
    assert "](" not in card.partition("\n---\n")[2]
    lines = card.partition("\n---\n")[2].splitlines()
    assert [line for line in lines if line.startswith("# ")] == [f"# {escaped(HOSTILE)}"]
    for line in lines:
        if line.startswith("|"):
            bars = line.replace("\\|", "").count("|")
            assert bars in (3, 4, 5)
    assert "And 1 smaller ones." in lines


def test_the_front_matter_says_language_size_and_licence() -> None:
    assert front_matter(render(facts()))["language"] == ["en"]
    assert front_matter(render(facts()))["size_categories"] == ["1K<n<10K"]
    assert "license" not in front_matter(render(facts()))
    assert front_matter(render(facts(license="CC-BY-4.0")))["license"] == "cc-by-4.0"
    other = front_matter(render(facts(license="ask: us\n---")))
    assert other["license"] == "other"
    assert other["license_name"] == "ask: us ---"


@pytest.mark.parametrize(
    ("documents", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**12, "n>1T")],
)
def test_size_categories_are_those_of_the_hub(documents: int, category: str) -> None:
    assert size_category(documents) == category


@given(st.text())
def test_an_escaped_text_is_one_line_and_can_be_read_back(value: str) -> None:
    shown = escaped(value, limit=None)
    assert len(shown.splitlines()) <= 1
    if value.isascii() and value.isprintable():
        plain, index = "", 0
        while index < len(shown):
            index += shown[index] == "\\"
            plain += shown[index]
            index += 1
        assert plain == value
