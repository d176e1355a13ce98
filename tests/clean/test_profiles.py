"""Profiles, and how a run changes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conf import ConfigError
from conf.clean import CleanConfig
from pipelines.clean.judge import Judge, Refused
from pipelines.clean.profiles import PROFILES, resolve
from pipelines.clean.rules import RULES, STEPS
from pipelines.clean.rules.rule import Rule


def names(**config: Any) -> list[str]:
    return [item.name for item in resolve(CleanConfig(**config)).items]


def test_the_promised_profiles_are_there() -> None:
    assert set(PROFILES) == {
        "documentation",
        "gopher-quality",
        "gopher-repetition",
        "c4",
        "c4-t5",
        "fineweb-quality",
        "fineweb",
        "none",
        "pii-only",
    }
    for profile in PROFILES.values():
        assert names(profile=profile.name) == list(profile.items)


def test_every_rule_is_in_a_profile_or_for_runs_to_add() -> None:
    used = {item for profile in PROFILES.values() for item in profile.items}
    assert set(RULES) - used == {
        *("length.words.min", "length.characters.min", "language.listed.min"),
        *("blocklist.url.max", "blocklist.words.max", "blocklist.word_share.max"),
    }
    assert set(STEPS) - used == {"boilerplate.lines"}


def test_fineweb_has_the_order_of_the_release() -> None:
    items = names(profile="fineweb")
    first = [items.index(name) for name in items]
    assert first == sorted(first)
    papers = [name.split(".")[0] for name in items]
    assert list(dict.fromkeys(papers)) == ["language", "gopher", "fineweb-c4", "fineweb"]
    assert items.index("gopher.duplicate_10_grams.max") < items.index("gopher.words.min")
    assert resolve(CleanConfig(profile="fineweb")).thresholds["language.score.min"] == 0.65


def test_rules_can_be_chosen_and_reordered() -> None:
    chosen = ("gopher.words.max", "length.words.min", "c4.lines", "gopher.words.min")
    assert names(rules=chosen) == list(chosen)
    assert names(rules=()) == []


def test_thresholds_of_a_run_replace_the_published_ones() -> None:
    config = CleanConfig(profile="gopher-quality", thresholds={"gopher.words.min": 3})
    decision = Judge(config).judge("one two")
    assert isinstance(decision, Refused)
    assert (decision.rule, decision.value, decision.threshold, decision.comparison) == (
        "gopher.words.min",
        2,
        3,
        "<",
    )
    other = Judge(config).judge("one two three")
    assert isinstance(other, Refused)
    assert other.rule != "gopher.words.min"


def test_wanted_languages_need_a_rule() -> None:
    assert names(profile="gopher-quality", languages=("de",))[0] == "language.listed.min"
    assert names(profile="documentation", languages=("de",)) == list(PROFILES["documentation"].items)
    assert resolve(CleanConfig(profile="documentation", languages=("de",))).languages == {"de"}
    assert resolve(CleanConfig(profile="documentation")).languages == {"en"}


def test_a_least_score_needs_its_rule() -> None:
    plan = resolve(CleanConfig(profile="none", min_language_score=0.4))
    assert [item.name for item in plan.items] == ["language.score.min"]
    assert plan.thresholds == {"language.score.min": 0.4}
    assert (
        resolve(CleanConfig(profile="fineweb", min_language_score=0.4)).thresholds["language.score.min"]
        == 0.4
    )


def test_the_splitter_can_be_set() -> None:
    assert resolve(CleanConfig(profile="documentation")).splitter == "whitespace"
    assert resolve(CleanConfig(profile="fineweb")).splitter == "word_or_punct+icu"
    assert resolve(CleanConfig(profile="fineweb", splitter="whitespace")).splitter == "whitespace"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"profile": "gofer"}, "gopher-quality"),
        ({"rules": ("gopher.word.min",)}, r"gopher\.words\.min"),
        ({"rules": ("c4.lines", "c4.lines")}, "more than once"),
        ({"thresholds": {"gopher.words.min": 1}}, r"documentation\.prose\.min"),
        ({"profile": "none", "thresholds": {"gopher.words.min": 1}}, "none"),
        ({"profile": "c4", "thresholds": {"c4.sentences.min": float("nan")}}, "not a number"),
        ({"languages": ("English",)}, "ISO 639-1"),
        ({"splitter": "spaces"}, "word_or_punct"),
    ],
)
def test_mistakes_are_met_with_what_is_known(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(CleanConfig(**config))


def test_a_rules_name_says_which_limit_it_is() -> None:
    with pytest.raises(ValueError, match=r"\.max"):
        Rule("a.b.min", lambda stats: np.zeros(len(stats)), ">", 1, "", "")
    for rule in RULES.values():
        assert rule.origin
        assert rule.meaning
