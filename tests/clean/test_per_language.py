"""Settings of one language: its profile, rules, thresholds, words and stop words."""

from __future__ import annotations

from typing import Any

import pytest

from conf import ConfigError, load
from conf.clean import CleanConfig, LanguageConfig
from pipelines.clean.judge import Judge, Kept, Refused
from pipelines.clean.plans import resolve_all
from pipelines.clean.profiles import PROFILES

CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"
GERMAN = (
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen "
    "begabt und sollen einander im Geist der Brüderlichkeit begegnen."
)
ENGLISH = (
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood."
)


def test_a_document_is_judged_by_the_settings_of_its_language() -> None:
    config = CleanConfig(
        rules=("gopher.words.min", "gopher.stop_words.min"),
        thresholds={"gopher.words.min": 5, "gopher.stop_words.min": 4},
        stop_words={"de": ("und", "sind", "an", "im")},
        per_language={
            "zh": LanguageConfig(rules=("length.characters.min",), thresholds={"length.characters.min": 40})
        },
    )
    judge = Judge(config)
    german, english, chinese = map(judge.judge, (GERMAN, ENGLISH, CHINESE))
    assert isinstance(german, Kept)
    assert german.measures["gopher.stop_words.min"] == 4
    assert isinstance(english, Refused)
    assert english.rule == "gopher.stop_words.min"
    assert isinstance(chinese, Kept)
    assert list(chinese.measures) == ["length.characters.min"]
    short = judge.judge(CHINESE[:20])
    assert isinstance(short, Refused)
    assert (short.rule, short.threshold) == ("length.characters.min", 40)


def test_what_a_language_leaves_out_is_as_for_all() -> None:
    config = CleanConfig(
        profile="gopher-quality",
        splitter="whitespace",
        thresholds={"gopher.words.min": 7},
        per_language={"de": LanguageConfig(thresholds={"gopher.mean_word_length.max": 14})},
    )
    plans = resolve_all(config)
    german = plans.of("de")
    assert [item.name for item in german.items] == list(PROFILES["gopher-quality"].items)
    assert german.splitter == "whitespace"
    assert german.thresholds == plans.default.thresholds | {"gopher.mean_word_length.max": 14}
    assert plans.of("fr") is plans.default


def test_a_profile_of_its_own_brings_list_and_words() -> None:
    config = CleanConfig(
        profile="fineweb",
        thresholds={"gopher.words.min": 7, "language.score.min": 0.5},
        per_language={"de": LanguageConfig(profile="documentation")},
    )
    german = resolve_all(config).of("de")
    assert [item.name for item in german.items] == list(PROFILES["documentation"].items)
    assert german.splitter == "whitespace"
    assert set(german.thresholds) == set(PROFILES["documentation"].items)


def test_a_language_with_settings_is_wanted_unless_the_run_says_which_are() -> None:
    def wanted(**more: Any) -> frozenset[str]:
        config = CleanConfig(profile="fineweb", per_language={"zh": LanguageConfig()}, **more)
        return resolve_all(config).of("zh").languages

    assert wanted() == {"zh"}
    assert wanted(languages=("en", "de")) == {"en", "de"}


def test_a_profiles_name_in_a_list_stands_for_its_rules() -> None:
    config = CleanConfig(rules=("boilerplate.lines", "c4", "length.words.min"))
    assert [item.name for item in resolve_all(config).default.items] == [
        "boilerplate.lines",
        *PROFILES["c4"].items,
        "length.words.min",
    ]


def test_a_run_file_can_say_it() -> None:
    config = load(overrides=["clean.per_language={zh: {profile: none, splitter: whitespace}}"]).clean
    assert resolve_all(config).of("zh").splitter == "whitespace"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"per_language": {"chinese": {}}}, "ISO 639-1"),
        ({"per_language": {"zh": {"profile": "c5"}}}, r"per_language\.zh\.profile"),
        ({"per_language": {"zh": {"splitter": "icu5"}}}, r"per_language\.zh\.splitter"),
        ({"per_language": {"zh": {"thresholds": {"gopher.words.min": 1}}}}, r"per_language\.zh\.thresholds"),
        ({"per_language": {"zh": {}}, "thresholds": {"gopher.word.min": 1}}, r"clean\.thresholds"),
    ],
)
def test_mistakes_are_named_with_their_key(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Judge(CleanConfig.model_validate(config))
