"""Documents through cleaning, a batch at a time: repair, language, rules and steps, privacy, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.clean import CleanConfig
from pipelines.clean.counts import STOP_WORDS
from pipelines.clean.language import Languages, identify
from pipelines.clean.plans import resolve_all
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.profiles import LANGUAGE_PREFIX, ProfilePlan
from pipelines.clean.resources import Resources
from pipelines.clean.rules import Rule
from pipelines.clean.stats import BatchStats, Values
from pipelines.text.blank import blanks
from pipelines.text.code_points import Index, buffers
from pipelines.text.personal_data import KINDS, rule_name
from pipelines.text.repair import repair, repair_all

# Texts that are measured together: enough to spread the cost of a call, few enough to stay in the cache.
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Kept:
    """A document that passed every rule.

    Attributes:
        text: Repaired, changed by the profile's steps, redacted.
        target: The other side of a pair, repaired and redacted.
        num_words: Words that the last rule saw, before redaction.
        pii: Personal data replaced, by kind; kinds without any are left out.
        num_repairs: Characters that repair changed or removed, those of the target included.
        measures: What every rule measured, and the lines that steps dropped, by name.
    """

    text: str
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
    """

    rule: str
    value: float
    threshold: float
    comparison: str


# Whatever the profile: such a text teaches nothing, and no other rule says what is wrong with it.
BLANK = Refused("text.visible_characters.min", 0.0, 1.0, "<")


@dataclass(frozen=True)
class Decisions:
    """The decisions on some documents that share a plan.

    Attributes:
        rows: Which documents of the batch these are, int64 of shape (documents,).
        plan: What was done with them.
        languages: Of the repaired texts.
        stay: Which of them stay, bool of shape (documents,).
        refused: Why each of the others goes, in order.
        texts: Of those that stay, in order: repaired, changed by the profile's steps, redacted.
        targets: The other sides of their pairs, repaired and redacted; null for single texts.
        num_words: Words that the last rule saw in them, int64 of shape (kept,).
        pii: Personal data replaced in each, int32 of shape (kept, kinds) in the order of KINDS.
        num_repairs: Characters that repair changed or removed in each, int64 of shape (kept,).
        measures: What `plan.measured` measured in them, float64 of shape (kept, measured).
    """

    rows: Index
    plan: ProfilePlan
    languages: Languages
    stay: npt.NDArray[np.bool_]
    refused: list[Refused]
    texts: pa.LargeStringArray
    targets: pa.LargeStringArray
    num_words: Index
    pii: npt.NDArray[np.int32]
    num_repairs: Index
    measures: Values


class Judge:
    """Decides on documents by one configuration.

    Example:
        >>> from conf.clean import CleanConfig
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
        self.plan: ProfilePlan = self.plans.default
        self.redactor = Redactor(config.privacy)
        self._rejects = [kind for kind in self.redactor.kinds if getattr(config.privacy, kind) == "reject"]
        self.resources = Resources.load(config) if resources is None else resources

    def decide(
        self, texts: pa.LargeStringArray, targets: pa.Array | None = None, urls: pa.Array | None = None
    ) -> Iterator[Decisions]:
        """The decision on every document; the empty text, too, gets exactly one.

        Args:
            texts: What rules judge.
            targets: The other sides of pairs, null for single texts; they are repaired and redacted alike.
            urls: The documents' addresses, null where there is none.
        """
        for start, stop in _chunks(texts):
            part = texts.slice(start, stop - start)
            num_repairs = np.zeros(len(part), np.int64)
            if self.plans.repair:
                part, num_repairs = repair_all(part)
            languages = identify(part)
            for plan, stop_words, rows in self._groups(languages.code):
                chosen = pa.array(rows)
                stats = BatchStats(
                    part.take(chosen),
                    plan.splitter,
                    languages.take(rows),
                    plan.languages,
                    stop_words,
                    None if urls is None else urls.take(pa.array(rows + start)),
                    self.resources,
                )
                others = None if targets is None else targets.take(pa.array(rows + start))
                yield self._decide(rows + start, plan, stats, others, num_repairs[rows])

    def judge(self, text: str, target: str | None = None, url: str | None = None) -> Kept | Refused:
        """The decision on one document."""
        (found,) = self.decide(
            pa.array([text], pa.large_string()), pa.array([target], pa.string()), pa.array([url], pa.string())
        )
        if found.refused:
            return found.refused[0]
        names = [item.name for item in found.plan.measured]
        return Kept(
            found.texts[0].as_py(),
            found.targets[0].as_py(),
            int(found.num_words[0]),
            {kind: int(count) for kind, count in zip(KINDS, found.pii[0], strict=True) if count},
            int(found.num_repairs[0]),
            dict(zip(names, found.measures[0].tolist(), strict=True)),
        )

    def stop_words(self, language: str) -> frozenset[str]:
        """The stop words of a language: the run's own, else Gopher's English ones."""
        return self.resources.stop_words.get(language, STOP_WORDS)

    def repair(self, text: str) -> tuple[str, int]:
        """The repaired text and the characters that went, unless the run wants no repair."""
        return repair(text) if self.plans.repair else (text, 0)

    def _groups(self, codes: npt.NDArray[np.str_]) -> Iterator[tuple[ProfilePlan, frozenset[str], Index]]:
        """The documents of each plan and each list of stop words, in their order."""
        groups: dict[tuple[int, frozenset[str]], tuple[ProfilePlan, list[Index]]] = {}
        found, which = np.unique(codes, return_inverse=True)
        for number, code in enumerate(found.tolist()):
            plan = self.plans.of(code)
            rows = np.flatnonzero(which == number)
            groups.setdefault((id(plan), self.stop_words(code)), (plan, []))[1].append(rows)
        for (_, stop_words), (plan, parts) in groups.items():
            yield plan, stop_words, np.sort(np.concatenate(parts))

    def _decide(
        self, rows: Index, plan: ProfilePlan, stats: BatchStats, targets: pa.Array | None, num_repairs: Index
    ) -> Decisions:
        failed, values, texts, num_words, measures = measure(plan, stats)
        refused: dict[int, Refused] = {}
        for row in np.flatnonzero(failed >= 0).tolist():
            rule = plan.measured[failed[row]]
            assert isinstance(rule, Rule)
            refused[row] = Refused(rule.name, float(values[row]), plan.thresholds[rule.name], rule.comparison)
        stay = failed < 0
        repairs = num_repairs[stay]
        texts, pii = self.redactor.redact_all(texts)
        if targets is None:
            others = pa.nulls(len(texts), pa.large_string())
        else:
            others, num_more, more = self._other_sides(targets.filter(pa.array(stay)))
            repairs, pii = repairs + num_more, pii + more
        for row in np.flatnonzero(~stay & blanks(stats.texts)).tolist():
            refused[row] = BLANK
        is_blank = blanks(texts) | blanks(others)
        if self._rejects or is_blank.any():
            places = np.flatnonzero(stay)
            remaining = ~is_blank
            for place in np.flatnonzero(is_blank).tolist():
                refused[int(places[place])] = BLANK
            for kind in self._rejects:
                name, counts = rule_name(kind), pii[:, KINDS.index(kind)]
                limit = plan.thresholds[name]
                for place in np.flatnonzero(remaining & (counts > limit)).tolist():
                    refused[int(places[place])] = Refused(name, float(counts[place]), limit, ">")
                    remaining[place] = False
            stay[places[~remaining]] = False
            chosen = pa.array(remaining)
            texts, others = texts.filter(chosen), others.filter(chosen)
            num_words, repairs = num_words[remaining], repairs[remaining]
            pii, measures = pii[remaining], measures[remaining]
        return Decisions(
            rows,
            plan,
            stats.languages,
            stay,
            [refused[row] for row in sorted(refused)],
            texts,
            others,
            num_words,
            pii,
            repairs,
            measures,
        )

    def _other_sides(self, targets: pa.Array) -> tuple[pa.LargeStringArray, Index, npt.NDArray[np.int32]]:
        """Targets as they stay, the characters repaired in each, and the personal data of each by kind."""
        targets = targets.cast(pa.large_string())
        num_repairs = np.zeros(len(targets), np.int64)
        if targets.null_count == len(targets):
            return targets, num_repairs, np.zeros((len(targets), len(KINDS)), np.int32)
        # A null has no characters: it passes through as a text without any, and is a null again.
        texts = targets.fill_null("")
        if self.plans.repair:
            texts, num_repairs = repair_all(texts)
        texts, pii = self.redactor.redact_all(texts)
        return pc.if_else(targets.is_valid(), texts, None), num_repairs, pii


def measure(plan: ProfilePlan, stats: BatchStats) -> tuple[Index, Values, pa.LargeStringArray, Index, Values]:
    """Measures every rule of a plan on some texts.

    A document that failed is measured on until a step changes the text of those that are left, or until
    a rule on languages, which come first and can turn away most of a crawl, has spoken.

    Returns:
        For every document the place in `plan.measured` of the first rule that failed (-1 if none) and its
        value; for those that stay their texts, their words, and the values of `plan.measured`.
    """
    num_texts = len(stats)
    failed = np.full(num_texts, -1, np.int64)
    values = np.zeros(num_texts)
    measures = np.zeros((num_texts, len(plan.measured)))
    rows = np.arange(num_texts)  # the documents that stats has
    place = 0
    for item in plan.items:
        if not isinstance(item, Rule):
            stats, rows = _left(stats, rows, failed)
            before, stats = stats, stats.with_texts(item.apply(stats))
            if item.counts_lines:
                measures[rows, place] = dropped_lines(before, stats)
                place += 1
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


def dropped_lines(before: BatchStats, after: BatchStats) -> Values:
    """Lines that are not blank which a step took out of each text."""
    return (before.lines.num_filled - after.lines.num_filled).astype(float)


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
