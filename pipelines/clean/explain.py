"""What cleaning thinks of one text: every rule's value, also behind the one that decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from conf.clean import CleanConfig
from pipelines.clean.judge import Judge, Kept, dropped_lines
from pipelines.clean.language import identify
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.rules import Rule
from pipelines.clean.stats import BatchStats
from pipelines.text.personal_data import KINDS, PLACEHOLDERS

CONTEXT_CHARACTERS = 24
MAX_PLACES = 3
"""How many places of a kind are shown, with how much text on both sides."""


@dataclass(frozen=True)
class Verdict:
    """One rule or step.

    Attributes:
        name: Its name.
        value: What the rule measured; the lines that are gone behind a step.
        threshold: The rule's limit; None for a step.
        comparison: How the rule fails; '' for a step.
        passes: Whether the text passes; a step always does.
    """

    name: str
    value: float
    threshold: float | None = None
    comparison: str = ""
    passes: bool = True


@dataclass(frozen=True)
class Found:
    """Personal data of one kind, never the data itself.

    Attributes:
        kind: Its kind.
        mode: What the run does with it: off, redact, reject.
        count: How many there are.
        places: Text around the first of them, with placeholders in their place.
    """

    kind: str
    mode: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """Everything that cleaning measures of a text.

    Attributes:
        num_characters: Of the text as given.
        num_repairs: Characters that repair changed or removed.
        languages: The likely languages with their probabilities, the likeliest first.
        own_plan: Whether this language has settings of its own.
        splitter: What counts as a word.
        verdicts: Every rule and step of the plan in order, none left out behind a failing one.
        found: Personal data by kind in the text behind the last step.
        decision: What the stage would decide: 'kept', or the rule that rejects.
    """

    num_characters: int
    num_repairs: int
    languages: tuple[tuple[str, float], ...]
    own_plan: bool
    splitter: str
    verdicts: tuple[Verdict, ...]
    found: tuple[Found, ...]
    decision: str


def explain(text: str, config: CleanConfig) -> Explanation:
    """Takes one text through cleaning without an early end.

    Args:
        text: The text.
        config: The configuration of the stage.

    Raises:
        ConfigError: A profile, rule or other name is not known.
        InputError: A list cannot be read.
    """
    judge = Judge(config)
    repaired, num_repairs = judge.repair(text)
    texts = pa.array([repaired], pa.large_string())
    languages = identify(texts)
    code = str(languages.code[0])
    plan, stop_words = judge.plans.of(code), judge.stop_words(code)
    stats = BatchStats(texts, plan.splitter, languages, plan.languages, stop_words, None, judge.resources)
    verdicts = []
    for item in plan.items:
        if isinstance(item, Rule):
            values, threshold = item.measure(stats), plan.thresholds[item.name]
            fails = bool(item.fails(values, threshold)[0])
            verdicts.append(Verdict(item.name, float(values[0]), threshold, item.comparison, not fails))
        else:
            before, stats = stats, stats.with_texts(item.apply(stats))
            verdicts.append(Verdict(item.name, float(dropped_lines(before, stats)[0])))
    decision = judge.judge(text)
    return Explanation(
        len(text),
        num_repairs,
        tuple(
            (candidate, score)
            for candidate, score in zip(
                languages.codes[0].tolist(), languages.scores[0].tolist(), strict=True
            )
            if candidate
        ),
        code in judge.plans.by_language,
        plan.splitter,
        tuple(verdicts),
        _found(stats.texts[0].as_py(), config),
        "kept" if isinstance(decision, Kept) else decision.rule,
    )


def _found(text: str, config: CleanConfig) -> tuple[Found, ...]:
    """Personal data of every kind, those that are off included: a person wants to see what would be left."""
    privacy = config.privacy
    redacted = Redactor(privacy.model_copy(update=dict.fromkeys(KINDS, "redact"))).redact(text)
    return tuple(
        Found(kind, getattr(privacy, kind), redacted.counts[kind], _places(redacted.text, PLACEHOLDERS[kind]))
        for kind in KINDS
        if kind in redacted.counts
    )


def _places(text: str, placeholder: str) -> tuple[str, ...]:
    starts = [match.start() for match in islice(re.finditer(re.escape(placeholder), text), MAX_PLACES)]
    reach = CONTEXT_CHARACTERS
    return tuple(text[max(0, start - reach) : start + len(placeholder) + reach] for start in starts)
