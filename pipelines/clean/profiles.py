"""Named profiles: which rules and text steps apply, in which order, on which words and languages."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from conf.clean import CleanConfig, LanguageConfig
from conf.errors import ConfigError
from pipelines.clean.rules import (
    DOOR,
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
from pipelines.text.personal_data import KINDS, rule_name
from ringlake.base.extensions import Extension, unknown

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
        repair: Whether texts are repaired before they are judged.
    """

    name: str
    items: tuple[str, ...]
    meaning: str
    splitter: str = DEFAULT_SPLITTER
    languages: frozenset[str] = frozenset()
    repair: bool = True


@dataclass(frozen=True)
class ProfilePlan:
    """A profile with the settings of a run applied: what cleaning does with documents of one language.

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
    def measured(self) -> tuple[Rule | Step, ...]:
        """What leaves a value in `measures`, in order: the rules, and the steps that count lines."""
        return tuple(item for item in self.items if isinstance(item, Rule) or item.counts_lines)

    @cached_property
    def extensions(self) -> tuple[Extension, ...]:
        """What of other packages its rules and steps are."""
        return DOOR.used(item.name for item in self.items)


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
        Profile("pii-only", (), "Privacy alone: nothing judged, the text not even repaired.", repair=False),
    )
}


def resolve(config: CleanConfig, language: str | None = None) -> ProfilePlan:
    """What a configuration asks for: of a language with settings of its own, or of all others.

    `rules` replace the profile's list; the name of a profile among them stands for its list. Wanted
    languages put the rule 'language.listed.min' in front of a list that has no language rule;
    `min_language_score` puts 'language.score.min' in front of one that lacks it. A list of blocked addresses
    puts 'blocklist.url.max' in front of all, one of blocked words 'blocklist.words.max' behind all, where
    the list has no such rule.

    Args:
        config: The configuration.
        language: A key of `per_language`; such a language is wanted unless `languages` says otherwise.

    Raises:
        ConfigError: A profile, rule, splitter or language is not known, or a rule is named twice.
        ExtensionError: A rule of another package cannot be used.
    """
    own = config.per_language[language] if language else LanguageConfig()
    key = f"clean.per_language.{language}" if language else "clean"
    profile = _profile(own.profile or config.profile, key)
    # A profile of its own comes with its own list.
    rules = own.rules if own.rules is not None or own.profile else config.rules
    names = _expand(profile.items if rules is None else rules)
    if config.languages and not any(name.startswith(LANGUAGE_PREFIX) for name in names):
        names.insert(0, "language.listed.min")
    if config.min_language_score is not None and "language.score.min" not in names:
        names.insert(0, "language.score.min")
    if config.url_blocklist and "blocklist.url.max" not in names:
        names.insert(0, "blocklist.url.max")
    if config.word_blocklist and not any(name.startswith("blocklist.word") for name in names):
        names.append("blocklist.words.max")
    splitter = own.splitter or (None if own.profile else config.splitter) or profile.splitter
    if splitter not in SPLITTERS:
        raise ConfigError(
            f"{key}.splitter = {splitter!r} is not known; known splitters: {', '.join(SPLITTERS)}"
        )
    items = _items(names, key)
    wanted = _languages(config) or (frozenset({language}) if language else profile.languages)
    return ProfilePlan(items, _thresholds(items, config, own, key), splitter, wanted)


def repairs(config: CleanConfig) -> bool:
    """Whether texts are repaired. It comes before their language is known, so it is one for all."""
    return _profile(config.profile, "clean").repair if config.repair is None else config.repair


def _profile(name: str, key: str) -> Profile:
    if name not in PROFILES:
        known = ", ".join(sorted(PROFILES))
        raise ConfigError(f"{key}.profile = {name!r} is not known; known profiles: {known}")
    return PROFILES[name]


def _expand(names: tuple[str, ...]) -> list[str]:
    return [item for name in names for item in (PROFILES[name].items if name in PROFILES else (name,))]


def _items(names: list[str], key: str) -> tuple[Rule | Step, ...]:
    items = [_item(name, key) for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{key}.rules: {twice} are named more than once; name each rule once")
    return tuple(items)


def _item(name: str, key: str) -> Rule | Step:
    """A rule or step by its name: ours, or that of an extension."""
    own: dict[str, Rule | Step] = {**RULES, **STEPS}
    found = own.get(name) or DOOR.get(name)
    if found is None:
        told = unknown(f"{key}.rules", name, sorted(own), DOOR.names())
        raise ConfigError(f"{told}; the name of a profile stands for its list: {', '.join(sorted(PROFILES))}")
    return found


def _thresholds(
    items: tuple[Rule | Step, ...], config: CleanConfig, own: LanguageConfig, key: str
) -> dict[str, float]:
    thresholds = {item.name: item.threshold for item in items if isinstance(item, Rule)}
    thresholds |= {rule_name(kind): 0.0 for kind in KINDS if getattr(config.privacy, kind) == "reject"}
    if config.min_language_score is not None:
        thresholds["language.score.min"] = config.min_language_score
    # What is set for all languages may be about rules that this one's list lacks.
    general = {
        name: value
        for name, value in config.thresholds.items()
        if name in thresholds or not config.per_language
    }
    for where, changes in (("clean", general), (key, own.thresholds)):
        for name, value in changes.items():
            if name not in thresholds:
                applied = ", ".join(sorted(thresholds)) or "none"
                raise ConfigError(
                    f"{where}.thresholds: {name!r} is no rule of this run; its rules: {applied}"
                )
            if math.isnan(value):
                raise ConfigError(
                    f"{where}.thresholds.{name} is not a number; every text would pass; name a limit"
                )
            thresholds[name] = value
    return thresholds


def _languages(config: CleanConfig) -> frozenset[str]:
    for code in config.languages:
        if not re.fullmatch(r"[a-z]{2,3}", code):
            raise ConfigError(
                f"clean.languages: {code!r} is no language code; use ISO 639-1 in lower case, e.g. en or zh"
            )
    return frozenset(config.languages)
