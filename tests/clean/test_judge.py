"""Every text gets exactly one decision, whatever the profile."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.clean import CleanConfig, PrivacyConfig
from pipelines.clean.judge import BLANK, Judge, Kept, Refused
from pipelines.clean.profiles import PROFILES
from pipelines.clean.rules import RULES, STEPS
from pipelines.clean.words import SPLITTERS
from pipelines.text.blank import is_blank
from tests.clean.support import stats_of

JUDGES = {name: Judge(CleanConfig(profile=name)) for name in PROFILES}

PIECES = st.sampled_from(
    ["word ", "the ", ". ", "\n", "\n\n", "...", "- ", "# ", ">>> f(1)\n", "文。", "{", "\x00", "…"]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=120).map("".join))


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(sorted(PROFILES)))
def test_any_text_gets_one_decision(text: str, profile: str) -> None:
    judge = JUDGES[profile]
    decision = judge.judge(text)
    rules = [item.name for item in judge.plan.items if item.name in RULES]
    if decision == BLANK:
        assert is_blank(judge.repair(text)[0]) or len(rules) < len(judge.plan.items)
    elif isinstance(decision, Refused):
        rule = RULES[decision.rule]
        assert decision.rule in rules
        assert math.isfinite(decision.value)
        assert (
            decision.value < decision.threshold
            if rule.comparison == "<"
            else decision.value > decision.threshold
        )
    else:
        assert list(decision.measures) == rules
        for name, value in decision.measures.items():
            threshold = judge.plan.thresholds[name]
            assert value >= threshold if RULES[name].comparison == "<" else value <= threshold
    assert judge.judge(text) == decision


@pytest.mark.parametrize("splitter", sorted(SPLITTERS))
@pytest.mark.parametrize(
    "text", ["", " ", "\n\n\n", "word", "...", "#", "•", "文", "\u0301", "a\n" * 3, "x" * 10_000]
)
def test_every_rule_measures_every_text(text: str, splitter: str) -> None:
    for rule in RULES.values():
        assert math.isfinite(rule.measure(stats_of(text, splitter))[0]), rule.name
    for step in STEPS.values():
        assert isinstance(step.apply(stats_of(text, splitter))[0].as_py(), str)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_hundred_thousand_words_get_a_decision(profile: str) -> None:
    text = " ".join(f"word{i % 977} and the" for i in range(33_334))
    assert isinstance(JUDGES[profile].judge(text), Kept | Refused)


def test_the_first_failing_rule_in_order_decides() -> None:
    text = "one two"
    for first, second in (
        ("gopher.words.min", "gopher.stop_words.min"),
        ("gopher.stop_words.min", "gopher.words.min"),
    ):
        decision = Judge(CleanConfig(rules=(first, second))).judge(text)
        assert isinstance(decision, Refused)
        assert decision.rule == first


def test_rules_judge_the_repaired_text_and_redaction_comes_last() -> None:
    text = "Write to jo@example.org\r\n\r\n\r\n\r\n\r\nor to 8.8.8.8  "
    config = CleanConfig(rules=("length.words.min", "length.characters.min"), splitter="word_or_punct")
    decision = Judge(config).judge(text)
    assert isinstance(decision, Kept)
    assert decision.text == "Write to [EMAIL]\n\n\nor to [IP_ADDRESS]"
    # Write to jo @ example . org or to 8 . 8 . 8 . 8
    assert decision.num_words == 16
    assert decision.measures["length.characters.min"] == len("Write to jo@example.org\n\n\nor to 8.8.8.8")
    # five carriage returns, two line feeds, two spaces
    assert (decision.num_repairs, decision.pii) == (9, {"email": 1, "ip_address": 1})


def test_repair_and_redaction_can_be_switched_off() -> None:
    text = "jo@example.org 8.8.8.8 \r\n"
    config = CleanConfig(profile="none", repair=False, privacy=PrivacyConfig(email="off", ip_address="off"))
    decision = Judge(config).judge(text)
    assert isinstance(decision, Kept)
    assert (decision.text, decision.num_repairs) == (text, 0)
    assert decision.measures == {}
