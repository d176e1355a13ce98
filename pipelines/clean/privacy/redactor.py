"""All detectors of a run on one text: placeholders for what is found, and how much of each kind there was."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.clean import PrivacyConfig
from conf.errors import ConfigError
from pipelines.clean.privacy.api_key import ApiKey
from pipelines.clean.privacy.credit_card import CreditCard
from pipelines.clean.privacy.detector import Detector, Span
from pipelines.clean.privacy.email import Email
from pipelines.clean.privacy.fold import fold, fold_separators
from pipelines.clean.privacy.iban import Iban
from pipelines.clean.privacy.ip_address import Ipv4Address, Ipv6Address
from pipelines.clean.privacy.national_id import NationalId
from pipelines.clean.privacy.phone import Phone
from pipelines.clean.privacy.private_key import PrivateKey
from pipelines.clean.privacy.traits import (
    CODED,
    DIGITS,
    FOLDABLE,
    IBAN_START,
    traits,
    traits_of,
)
from pipelines.text.code_points import buffers
from pipelines.text.personal_data import KINDS, PLACEHOLDERS

# A placeholder can uncover what touched the data it stands for, so that a line is looked at again until
# nothing is found. Lines found so far needed three looks. From this one on, what is found takes its
# surroundings with it, twice as much each time, so that the looks at a line made to need many are few.
_MAX_LOOKS = 8

_LARGE = 2**14
"""Characters from which a text is looked at some lines at a time."""

_LINES_BYTES = 512
"""Bytes of lines that are looked at together: about a document of documentation."""

# Traits of what may have typographic spaces and hyphens between its groups.
_GROUPED = DIGITS | CODED | IBAN_START

_ANY_PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS.values())))


@dataclass(frozen=True)
class Redacted:
    """A text without personal data.

    Attributes:
        text: The text with placeholders.
        counts: How many of each kind were replaced; kinds without any are left out.
    """

    text: str
    counts: dict[str, int] = field(default_factory=dict)


class Redactor:
    """Replaces personal data by typed placeholders.

    Example:
        >>> Redactor().redact("Mail jo@example.org or see 8.8.8.8, not 10.0.0.1.").text
        'Mail [EMAIL] or see [IP_ADDRESS], not 10.0.0.1.'
    """

    def __init__(self, config: PrivacyConfig | None = None) -> None:
        """Makes the detectors of every kind that is not off.

        Raises:
            ConfigError: A phone region or a module of national ids is not known.
        """
        config = config or PrivacyConfig()
        self._detectors = [item for item in _detectors(config) if getattr(config, item.kind) != "off"]
        self._beyond_lines = [item for item in self._detectors if isinstance(item, PrivateKey)]
        self._within_lines = [item for item in self._detectors if not isinstance(item, PrivateKey)]
        self.kinds = tuple(kind for kind in KINDS if any(item.kind == kind for item in self._detectors))

    def redact(self, text: str) -> Redacted:
        """The text with placeholders, and the counts; the same text if nothing was found."""
        return self._redact(text, traits(text))

    def _redact(self, text: str, has: int) -> Redacted:
        """The same, of a text whose traits are known."""
        counts: Counter[str] = Counter()
        if len(text) < _LARGE:
            text = self._settle(self._pass(text, has, counts, self._detectors), has & FOLDABLE, counts)
        else:
            text = self._redact_by_lines(text, has, counts)
        return Redacted(text, {kind: counts[kind] for kind in KINDS if counts[kind]})

    def _redact_by_lines(self, text: str, has: int, counts: Counter[str]) -> str:
        """The same, some lines at a time: a large text has all traits somewhere, and few of its lines do.

        No detector but that of private keys, which comes first, looks beyond a line.
        """
        text = self._pass(text, has, counts, self._beyond_lines)
        # What lies beside a key that went has to be looked at once more.
        is_cut = bool(counts)
        raw = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        ends = _ends_of_lines(raw)
        bounds = np.concatenate([np.zeros(1, np.int64), ends])
        traits_of_each = traits_of(raw, bounds) | (has & FOLDABLE)
        suspects = self._suspects(traits_of_each)
        parts = []
        for start, end, each, suspect in zip(bounds, ends, traits_of_each, suspects, strict=False):
            part = raw[start:end].tobytes()
            if suspect or (is_cut and b"[" in part):
                own: Counter[str] = Counter()
                found = self._pass(part.decode("utf-8", "surrogatepass"), int(each), own, self._within_lines)
                if own or is_cut:
                    found = self._settle(found, has & FOLDABLE, own, always=True)
                    counts.update(own)
                    part = found.encode("utf-8", "surrogatepass")
            parts.append(part)
        return b"".join(parts).decode("utf-8", "surrogatepass")

    def _settle(self, text: str, folds: int, counts: Counter[str], always: bool = False) -> str:
        """The text, each line that has a placeholder looked at again until nothing is found."""
        if not (counts or always):
            return text
        return "\n".join(
            [
                self._settled(line, folds, counts) if "[" in line and _ANY_PLACEHOLDER.search(line) else line
                for line in text.split("\n")
            ]
        )

    def _settled(self, line: str, folds: int, counts: Counter[str]) -> str:
        """A line in which nothing more is found, looked at as the text that it is of."""
        look = 1
        found = True
        while found:
            look += 1
            before = counts.total()
            margin = 2 ** (look - _MAX_LOOKS) if look > _MAX_LOOKS else 0
            line = self._pass(line, traits(line) | folds, counts, self._detectors, margin)
            found = counts.total() > before
        return line

    def redact_all(self, texts: pa.LargeStringArray) -> tuple[pa.LargeStringArray, npt.NDArray[np.int32]]:
        """What `redact` gives for each of many texts.

        Most texts have nothing that a detector looks for; they stay where they are, in Arrow's buffers.

        Returns:
            The texts with placeholders, and how many of each kind were replaced, int32 of shape
            (texts, kinds) in the order of KINDS.
        """
        counts = np.zeros((len(texts), len(KINDS)), np.int32)
        if not self._detectors:
            return texts, counts
        has = traits_of(*buffers(texts))
        suspects = self._suspects(has)
        rows = np.flatnonzero(suspects)
        if not rows.size:
            return texts, counts
        redacted = []
        for row, text in zip(rows, texts.take(pa.array(rows)).to_pylist(), strict=True):
            found = self._redact(text, int(has[row]))
            redacted.append(found.text)
            for kind, count in found.counts.items():
                counts[row, KINDS.index(kind)] = count
        return pc.replace_with_mask(texts, pa.array(suspects), pa.array(redacted, pa.large_string())), counts

    def _suspects(self, has: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which texts, by their traits, have what a detector needs to find anything."""
        found = np.zeros(has.shape, np.bool_)
        for needs in {FOLDABLE, *(detector.needs for detector in self._detectors)}:
            found |= has & needs == needs
        return found

    def _pass(
        self, text: str, has: int, counts: Counter[str], detectors: Sequence[Detector], margin: int = 0
    ) -> str:
        """The text without what one look finds, nor `margin` characters on both sides of it."""
        looked_at = text
        if has & FOLDABLE:
            looked_at = fold(text)
            has = traits(looked_at)
        elif has & _GROUPED and not text.isascii():
            looked_at = fold_separators(text)
        for detector in detectors:
            if has & detector.needs != detector.needs:
                continue
            spans = list(detector.find(looked_at))
            if spans:
                if margin:
                    spans = _widened(spans, margin, len(text))
                counts[detector.kind] += len(spans)
                placeholder = PLACEHOLDERS[detector.kind]
                same = looked_at is text
                text = _replace(text, spans, placeholder)
                looked_at = text if same else _replace(looked_at, spans, placeholder)
        return text


def _ends_of_lines(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Where to cut UTF-8 into lines of together `_LINES_BYTES`, or one that is longer; last its end."""
    breaks = np.flatnonzero(raw == ord("\n")) + 1
    _, firsts = np.unique(breaks // _LINES_BYTES, return_index=True)
    ends = breaks[firsts]
    return ends if ends.size and ends[-1] == raw.size else np.append(ends, raw.size)


def _widened(spans: list[Span], margin: int, length: int) -> list[Span]:
    """The spans with so many characters more on both sides; those that meet become one."""
    wide: list[Span] = []
    for start, end in spans:
        first, last = max(0, start - margin), min(length, end + margin)
        if wide and first <= wide[-1][1]:
            first = wide.pop()[0]
        wide.append((first, last))
    return wide


def _replace(text: str, spans: list[tuple[int, int]], placeholder: str) -> str:
    parts = []
    position = 0
    for start, end in spans:
        parts += [text[position:start], placeholder]
        position = end
    parts.append(text[position:])
    return "".join(parts)


def _detectors(config: PrivacyConfig) -> list[Detector]:
    try:
        phone = Phone(config.phone_regions)
        national = [NationalId(config.national_ids)] if config.national_ids else []
    except ValueError as error:
        raise ConfigError(f"clean.privacy: {error}") from None
    found: list[Detector] = [
        PrivateKey(),
        ApiKey(),
        Email(),
        Iban(),
        CreditCard(),
        *national,
        Ipv4Address(),
        Ipv6Address(),
        phone,
    ]
    return found
