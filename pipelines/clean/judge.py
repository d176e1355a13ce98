"""One document through cleaning: repair, language, rules, redaction, in this order."""

from __future__ import annotations

from dataclasses import dataclass

from conf.data import CleanConfig
from pipelines.clean.language import Language, identify
from pipelines.clean.profiles import Plan, resolve
from pipelines.clean.redact import redact
from pipelines.clean.repair import repair
from pipelines.clean.rules import Rule
from pipelines.clean.stats import TextStats


@dataclass(frozen=True)
class Kept:
    """A document that passed every rule.

    Attributes:
        text: Repaired, changed by the profile's steps, redacted.
        language: Of the repaired text.
        num_words: Words that the last rule saw, before redaction.
        num_emails: E-mail addresses replaced.
        num_ips: Public IP addresses replaced.
        num_repairs: Characters that repair changed or removed.
        measures: What every rule measured, by its name.
    """

    text: str
    language: Language
    num_words: int
    num_emails: int
    num_ips: int
    num_repairs: int
    measures: dict[str, float]


@dataclass(frozen=True)
class Refused:
    """A document that a rule turned away.

    Attributes:
        rule: Name of the first rule that failed.
        value: What it measured.
        threshold: The limit that the value broke.
        comparison: '<' if the value had to be at least the threshold, '>' if at most.
        language: Of the repaired text.
    """

    rule: str
    value: float
    threshold: float
    comparison: str
    language: Language


class Judge:
    """Decides on documents by one configuration.

    Example:
        >>> from conf.data import CleanConfig
        >>> Judge(CleanConfig(profile="gopher-quality")).judge("Too short.").rule
        'gopher.words.min'
    """

    def __init__(self, config: CleanConfig) -> None:
        """Resolves profile, rules and thresholds; ConfigError if one of them is not known."""
        self._config = config
        self.plan: Plan = resolve(config)

    def judge(self, text: str) -> Kept | Refused:
        """The decision on one text; every text, the empty one too, gets exactly one."""
        repaired, num_repairs = repair(text) if self._config.repair else (text, 0)
        language = identify(repaired)
        stats = TextStats(repaired, self.plan.splitter, language, self.plan.languages)
        measures: dict[str, float] = {}
        for item in self.plan.items:
            if not isinstance(item, Rule):
                stats = stats.with_text(item.apply(stats))
                continue
            value = float(item.measure(stats))
            threshold = self.plan.thresholds[item.name]
            if item.fails(value, threshold):
                return Refused(item.name, value, threshold, item.comparison, language)
            measures[item.name] = value
        redacted = redact(stats.text, self._config.redact.emails, self._config.redact.ips)
        return Kept(
            redacted.text,
            language,
            stats.num_words,
            redacted.num_emails,
            redacted.num_ips,
            num_repairs,
            measures,
        )
