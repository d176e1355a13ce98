"""Named profiles: which rules and text steps apply, in which order, on which words and languages."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from conf.errors import ConfigError
from pipelines.clean.rules import (
    RULES,
    STEPS,
    Rule,
    Step,
    documentation,
    fineweb,
    gopher_quality,
    gopher_repetition,
)
from pipelines.clean.words import DEFAULT_SPLITTER, SPLITTERS

if TYPE_CHECKING:
    from conf.data import CleanConfig

LANGUAGE_PREFIX = "language."


@dataclass(frozen=True)
class Profile:
    """A named list of rules and steps.

    Attributes:
        name: What `clean.profile` says.
        items: Names of rules and steps in order; the first rule that fails decides.
        meaning: What it is for, in one line.
        splitter: What counts as a word.
        languages: Languages that its language rules want, ISO 639-1; empty for all.
    """

    name: str
    items: tuple[str, ...]
    meaning: str
    splitter: str = DEFAULT_SPLITTER
    languages: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """A profile with the settings of a run applied: what cleaning does.

    Attributes:
        items: Rules and steps in order.
        thresholds: The limit of each rule, by name.
        splitter: What counts as a word.
        languages: Wanted languages; empty for all.
    """

    items: tuple[Rule | Step, ...]
    thresholds: dict[str, float]
    splitter: str
    languages: frozenset[str]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in order, without the steps between them."""
        return tuple(item for item in self.items if isinstance(item, Rule))


def _names(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    return tuple(rule.name for rule in rules)


def _c4(variant: str) -> tuple[str, ...]:
    rules = ("lorem_ipsum.max", "curly_bracket.max", "sentences.min")
    return (*(f"{variant}.{rule}" for rule in rules), f"{variant}.lines")


_GOPHER_REPETITION = _names(gopher_repetition.RULES)
_GOPHER_QUALITY = _names(gopher_quality.RULES)
_FINEWEB_QUALITY = _names(fineweb.RULES)
_ENGLISH = frozenset({"en"})

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "documentation",
            ("language.foreign_score.max", *_names(documentation.RULES)),
            "English API documentation and READMEs with some prose in them.",
            splitter="whitespace",
            languages=_ENGLISH,
        ),
        Profile("gopher-quality", _GOPHER_QUALITY, "Gopher's quality rules."),
        Profile("gopher-repetition", _GOPHER_REPETITION, "Gopher's repetition rules."),
        Profile("c4", _c4("c4"), "C4 as its paper has it: lines of 3 words or more, 5 sentences or more."),
        Profile(
            "c4-t5", _c4("c4-t5"), "C4 as its code has it: lines of 5 words or more, 3 sentences or more."
        ),
        Profile("fineweb-quality", _FINEWEB_QUALITY, "FineWeb's own rules."),
        Profile(
            "fineweb",
            (
                "language.score.min",
                *_GOPHER_REPETITION,
                *_GOPHER_QUALITY,
                *_c4("fineweb-c4"),
                *_FINEWEB_QUALITY,
            ),
            "The FineWeb release: English, Gopher repetition and quality, C4, FineWeb's own, in its order.",
            languages=_ENGLISH,
        ),
        Profile("none", (), "No rule: every document stays, repaired and redacted."),
    )
}


def resolve(config: CleanConfig) -> Plan:
    """What a configuration asks for.

    `rules` replace the profile's list. Wanted languages put the rule 'language.listed.min' in front of a
    list that has no language rule; `min_language_score` puts 'language.score.min' in front of one that
    lacks it.

    Raises:
        ConfigError: A profile, rule, splitter or language is not known, or a rule is named twice.
    """
    profile = PROFILES.get(config.profile)
    if profile is None:
        known = ", ".join(sorted(PROFILES))
        raise ConfigError(f"clean.profile = {config.profile!r} is not known; known profiles: {known}")
    names = list(profile.items if config.rules is None else config.rules)
    if config.languages and not any(name.startswith(LANGUAGE_PREFIX) for name in names):
        names.insert(0, "language.listed.min")
    if config.min_language_score is not None and "language.score.min" not in names:
        names.insert(0, "language.score.min")
    splitter = config.splitter or profile.splitter
    if splitter not in SPLITTERS:
        raise ConfigError(
            f"clean.splitter = {splitter!r} is not known; known splitters: {', '.join(SPLITTERS)}"
        )
    items = _items(names)
    return Plan(items, _thresholds(items, config), splitter, _languages(config) or profile.languages)


def _items(names: list[str]) -> tuple[Rule | Step, ...]:
    known: dict[str, Rule | Step] = {**RULES, **STEPS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"clean.rules: {unknown} are not known; known rules and steps: {', '.join(sorted(known))}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"clean.rules: {twice} are named more than once; name each rule once")
    return tuple(known[name] for name in names)


def _thresholds(items: tuple[Rule | Step, ...], config: CleanConfig) -> dict[str, float]:
    thresholds = {item.name: item.threshold for item in items if isinstance(item, Rule)}
    if config.min_language_score is not None:
        thresholds["language.score.min"] = config.min_language_score
    for name, value in config.thresholds.items():
        if name not in thresholds:
            applied = ", ".join(sorted(thresholds)) or "none"
            raise ConfigError(f"clean.thresholds: {name!r} is no rule of this run; its rules: {applied}")
        if math.isnan(value):
            raise ConfigError(f"clean.thresholds.{name} is not a number; every text would pass; name a limit")
        thresholds[name] = value
    return thresholds


def _languages(config: CleanConfig) -> frozenset[str]:
    for code in config.languages:
        if not re.fullmatch(r"[a-z]{2,3}", code):
            raise ConfigError(
                f"clean.languages: {code!r} is no language code; use ISO 639-1 in lower case, e.g. en or zh"
            )
    return frozenset(config.languages)
