"""The card of a lake of hand-written, hostile rows: its numbers are those of the tables, without Spark."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conf.card import CardConfig
from pipelines.card.build import build_card
from pipelines.errors import InputError
from pipelines.lake import Lake
from tests.report import lakes
from tests.support.tables import rows


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lakes.packed(tmp_path_factory.mktemp("card") / "lake")


def test_numbers_are_those_of_the_tables(lake: Lake) -> None:
    facts = build_card(lake, CardConfig(license="cc0-1.0", max_rows=2), lakes.CONFIG.name)
    corpus = rows(lake.location, "corpus")
    assert facts["totals"]["documents"] == len(corpus)
    assert facts["totals"]["bytes"] == sum(row["num_bytes"] for row in corpus)
    for part, key in (("splits", "split"), ("languages", "lang")):
        counted = Counter(row[key] for row in corpus)
        wanted = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:2]
        assert [(row["name"], row["documents"]) for row in facts[part]["rows"]] == wanted
        assert facts[part]["groups"] == len(counted)
    tops = Counter(row["source"].split("/")[0] for row in corpus)
    assert facts["sources"]["groups"] == len(tops)
    removed = {(row["table"], row["reason"]): row["rows"] for row in facts["removed"]}
    expected = {
        (table, row[column]): 0
        for table, column in (("quarantine", "reason"), ("rejected", "rule"), ("duplicates", "method"))
        for row in rows(lake.location, table)
    }
    assert removed.keys() == expected.keys()
    assert sum(removed.values()) == sum(
        len(rows(lake.location, table)) for table in ("quarantine", "rejected", "duplicates")
    )
    assert json.loads(lake.card_facts.read_text()) == facts
    # In the front matter it is a YAML string.
    assert lakes.SCRIPT not in lake.card.read_text().partition("\n---\n")[2]


def test_tokens_of_another_corpus_are_not_counted(lake: Lake) -> None:
    facts = build_card(lake, CardConfig(), "x")
    assert facts["totals"]["tokens"] is None
    assert "tokens" in facts["tables"]


def test_a_lake_without_a_corpus_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus that a card could describe"):
        build_card(lakes.ingested(tmp_path / "lake"), CardConfig(), "x")
