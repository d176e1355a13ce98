"""One document through cleaning: repair, language, rules, privacy, in this order."""

from __future__ import annotations

from dataclasses import dataclass

from conf.data import CleanConfig
from pipelines.clean.language import Language, identify
from pipelines.clean.plans import resolve_all
from pipelines.clean.privacy.kinds import KINDS, rule_name
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.profiles import Plan
from pipelines.clean.repair import repair
from pipelines.clean.resources import Resources
from pipelines.clean.rules import Rule
from pipelines.clean.stats import TextStats


@dataclass(frozen=True)
class Kept:
    """A document that passed every rule.

    Attributes:
        text: Repaired, changed by the profile's steps, redacted.
        language: Of the repaired text.
        target: The other side of a pair, repaired and redacted; None if there is none.
        num_words: Words that the last rule saw, before redaction.
        pii: Personal data replaced in text and target, by kind; kinds without any are left out.
        num_repairs: Characters that repair changed or removed in text and target.
        measures: What every rule measured, by its name.
    """

    text: str
    language: Language
    target: str | None
    num_words: int
    pii: dict[str, int]
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

    def __init__(self, config: CleanConfig, resources: Resources | None = None) -> None:
        """Resolves profiles, rules and thresholds.

        Args:
            config: The configuration.
            resources: Its lists; None: they are read.

        Raises:
            ConfigError: A profile, rule or other name is not known.
            InputError: A list cannot be read.
        """
        self.plans = resolve_all(config)
        self.plan: Plan = self.plans.default
        self.redactor = Redactor(config.privacy)
        self._rejects = [kind for kind in self.redactor.kinds if getattr(config.privacy, kind) == "reject"]
        self.resources = Resources.load(config) if resources is None else resources

    def judge(self, text: str, target: str | None = None, url: str | None = None) -> Kept | Refused:
        """The decision on one document; every text, the empty one too, gets exactly one.

        Args:
            text: The text that rules judge.
            target: The other side of a pair, which is repaired and redacted alike.
            url: The document's address.
        """
        repaired, num_repairs = self.repair(text)
        language = identify(repaired)
        plan = self.plans.of(language.code)
        stats = TextStats(repaired, plan.splitter, language, plan.languages, url, self.resources)
        measures: dict[str, float] = {}
        for item in plan.items:
            if not isinstance(item, Rule):
                before, stats = stats, stats.with_text(item.apply(stats))
                if item.counts_lines:
                    measures[item.name] = float(len(before.filled_lines) - len(stats.filled_lines))
                continue
            value = float(item.measure(stats))
            threshold = plan.thresholds[item.name]
            if item.fails(value, threshold):
                return Refused(item.name, value, threshold, item.comparison, language)
            measures[item.name] = value
        redacted = self.redactor.redact(stats.text)
        pii = redacted.counts
        if target is not None:
            target, num_more = self.repair(target)
            num_repairs += num_more
            other = self.redactor.redact(target)
            target, pii = other.text, add(pii, other.counts)
        for kind in self._rejects:
            name = rule_name(kind)
            if pii.get(kind, 0) > plan.thresholds[name]:
                return Refused(name, float(pii[kind]), plan.thresholds[name], ">", language)
        return Kept(redacted.text, language, target, stats.num_words, pii, num_repairs, measures)

    def repair(self, text: str) -> tuple[str, int]:
        """The repaired text and the characters that went, unless the run wants no repair."""
        return repair(text) if self.plans.repair else (text, 0)


def add(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """The sums by kind, in the order of the kinds."""
    return {kind: counts.get(kind, 0) + more.get(kind, 0) for kind in KINDS if kind in counts or kind in more}
