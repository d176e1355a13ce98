"""Documents through cleaning, a batch at a time: repair, language, rules and steps, in this order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.data import CleanConfig
from pipelines.clean.characters import Index, buffers
from pipelines.clean.language import Languages, identify
from pipelines.clean.profiles import LANGUAGE_PREFIX, Plan, resolve
from pipelines.clean.redact import redact
from pipelines.clean.repair import repair_all
from pipelines.clean.rules import Rule
from pipelines.clean.stats import BatchStats, Values

# Texts that are measured together: enough to spread the cost of a call, few enough to stay in the cache.
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Decisions:
    """The decisions on some documents. What is said of those that stay has a row for each of them, in order.

    Attributes:
        failed: Place of the first rule that failed among the rules of the plan, int64 of shape (documents,);
            -1 for documents that stay.
        values: What that rule measured, float64 of shape (documents,); 0 for documents that stay.
        languages: Of the repaired texts.
        num_repairs: Characters that repair changed or removed, int64 of shape (documents,).
        texts: Texts that stay, repaired and changed by the profile's steps, not redacted.
        num_words: Words that the last rule saw in them, int64 of shape (kept,).
        measures: What every rule measured in them, float64 of shape (kept, rules).
    """

    failed: Index
    values: Values
    languages: Languages
    num_repairs: Index
    texts: pa.LargeStringArray
    num_words: Index
    measures: Values

    @property
    def stay(self) -> npt.NDArray[np.bool_]:
        """Which documents stay, bool of shape (documents,)."""
        return self.failed < 0


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
    language: str
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
    language: str


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

    def decide(self, texts: pa.LargeStringArray) -> Decisions:
        """The decision on every text; the empty one, too, gets exactly one."""
        found = [self._decide(texts.slice(start, stop - start)) for start, stop in _chunks(texts)]
        if not found:
            found = [self._decide(texts)]
        return Decisions(
            np.concatenate([one.failed for one in found]),
            np.concatenate([one.values for one in found]),
            Languages(
                np.concatenate([one.languages.codes for one in found]),
                np.concatenate([one.languages.scores for one in found]),
            ),
            np.concatenate([one.num_repairs for one in found]),
            pa.concat_arrays([one.texts for one in found]),
            np.concatenate([one.num_words for one in found]),
            np.concatenate([one.measures for one in found]),
        )

    def _decide(self, texts: pa.LargeStringArray) -> Decisions:
        num_repairs = np.zeros(len(texts), np.int64)
        if self._config.repair:
            texts, num_repairs = repair_all(texts)
        languages = identify(texts)
        failed, values, kept, num_words, measures = measure(self.plan, texts, languages)
        return Decisions(failed, values, languages, num_repairs, kept, num_words, measures)

    def judge(self, text: str) -> Kept | Refused:
        """The decision on one text, redacted if it stays."""
        found = self.decide(pa.array([text], pa.large_string()))
        language = str(found.languages.code[0])
        if not found.stay[0]:
            rule = self.plan.rules[found.failed[0]]
            threshold = self.plan.thresholds[rule.name]
            return Refused(rule.name, float(found.values[0]), threshold, rule.comparison, language)
        redacted = redact(found.texts[0].as_py(), self._config.redact.emails, self._config.redact.ips)
        return Kept(
            redacted.text,
            language,
            int(found.num_words[0]),
            redacted.num_emails,
            redacted.num_ips,
            int(found.num_repairs[0]),
            {rule.name: float(value) for rule, value in zip(self.plan.rules, found.measures[0], strict=True)},
        )


def measure(
    plan: Plan, texts: pa.LargeStringArray, languages: Languages
) -> tuple[Index, Values, pa.LargeStringArray, Index, Values]:
    """Measures every rule of a plan on some texts.

    A document that failed is measured on until a step changes the text of those that are left, or until
    a rule on languages, which come first and can turn away most of a crawl, has spoken.

    Returns:
        For every document the place of the first rule that failed (-1 if none) and its value; for those
        that stay their texts, their words, and the values of all rules.
    """
    stats = BatchStats(texts, plan.splitter, languages, plan.languages)
    failed = np.full(len(texts), -1, np.int64)
    values = np.zeros(len(texts))
    measures = np.zeros((len(texts), len(plan.rules)))
    rows = np.arange(len(texts))  # the documents that stats has
    place = 0
    for item in plan.items:
        if not isinstance(item, Rule):
            stats, rows = _left(stats, rows, failed)
            stats = stats.with_texts(item.apply(stats))
            continue
        measured = item.measure(stats)
        fails = item.fails(measured, plan.thresholds[item.name]) & (failed[rows] < 0)
        failed[rows[fails]] = place
        values[rows[fails]] = measured[fails]
        measures[rows, place] = measured
        place += 1
        if item.name.startswith(LANGUAGE_PREFIX):
            stats, rows = _left(stats, rows, failed)
    stay = failed[rows] < 0
    kept = stats.texts.filter(pa.array(stay))
    return failed, values, kept, stats.num_words[stay], measures[rows[stay]]


def _left(stats: BatchStats, rows: Index, failed: Index) -> tuple[BatchStats, Index]:
    """The documents that have not failed."""
    stay = np.flatnonzero(failed[rows] < 0)
    return (stats, rows) if stay.size == rows.size else (stats.take(stay), rows[stay])


def _chunks(texts: pa.LargeStringArray) -> Iterator[tuple[int, int]]:
    """Rows from and to of parts of at most CHUNK_BYTES, or of one text."""
    _, offsets = buffers(texts)
    start = 0
    while start < len(texts):
        stop = int(np.searchsorted(offsets, offsets[start] + CHUNK_BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), len(texts))
        yield start, stop
        start = stop
