"""All detectors of a run on one text: placeholders for what is found, and how much of each kind there was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.data import PrivacyConfig
from conf.errors import ConfigError
from pipelines.clean.characters import buffers
from pipelines.clean.privacy.api_key import ApiKey
from pipelines.clean.privacy.credit_card import CreditCard
from pipelines.clean.privacy.detector import Detector
from pipelines.clean.privacy.email import Email
from pipelines.clean.privacy.fold import fold
from pipelines.clean.privacy.iban import Iban
from pipelines.clean.privacy.ip_address import Ipv4Address, Ipv6Address
from pipelines.clean.privacy.kinds import KINDS, PLACEHOLDERS
from pipelines.clean.privacy.national_id import NationalId
from pipelines.clean.privacy.phone import Phone
from pipelines.clean.privacy.private_key import PrivateKey
from pipelines.clean.privacy.traits import FOLDABLE, traits, traits_of

# A placeholder can uncover what touched the data it stands for. Texts found so far needed two passes; the
# limit keeps the time of hostile ones linear.
_MAX_PASSES = 8


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
        self.kinds = tuple(kind for kind in KINDS if any(item.kind == kind for item in self._detectors))

    def redact(self, text: str) -> Redacted:
        """The text with placeholders, and the counts; the same text if nothing was found."""
        return self._redact(text, traits(text))

    def _redact(self, text: str, has: int) -> Redacted:
        """The same, of a text whose traits are known."""
        counts: Counter[str] = Counter()
        for _ in range(_MAX_PASSES):
            before = counts.total()
            text = self._pass(text, has, counts)
            if counts.total() == before:
                break
            has = traits(text)
        return Redacted(text, {kind: counts[kind] for kind in KINDS if counts[kind]})

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

    def _pass(self, text: str, has: int, counts: Counter[str]) -> str:
        looked_at = text
        if has & FOLDABLE:
            looked_at = fold(text)
            has = traits(looked_at)
        for detector in self._detectors:
            if has & detector.needs != detector.needs:
                continue
            spans = list(detector.find(looked_at))
            if spans:
                counts[detector.kind] += len(spans)
                placeholder = PLACEHOLDERS[detector.kind]
                same = looked_at is text
                text = _replace(text, spans, placeholder)
                looked_at = text if same else _replace(looked_at, spans, placeholder)
        return text


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
