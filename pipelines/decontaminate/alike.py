"""Making documents and evaluation texts alike before they are compared.

A document comes repaired, changed by the steps of a profile and redacted; an evaluation text comes as its
publisher wrote it. So an evaluation text is looked for in every form that cleaning may have given it: as it
is, repaired, with the placeholders of the corpus, and behind the steps of each of its profiles. Its form in a
document depends on what stands around it there, which is why no form replaces another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.data import CleanConfig
from pipelines.clean.judge import Judge
from pipelines.clean.language import identify
from pipelines.clean.privacy.kinds import PLACEHOLDERS
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.profiles import Plan
from pipelines.clean.repair import repair_all
from pipelines.clean.resources import Resources
from pipelines.clean.rules import Rule
from pipelines.clean.stats import BatchStats

# Characters that are not shown (Unicode, Default_Ignorable_Code_Point): soft hyphens, joiners, marks of
# direction, variation selectors. Words would end at them.
_UNSEEN = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)

PLACEHOLDER_WORDS = tuple(placeholder.strip("[]").lower() for placeholder in PLACEHOLDERS.values())
"""The word that the comparison sees where personal data was replaced."""


def documents_alike(texts: pa.Array, repaired: bool) -> pa.LargeStringArray:
    """Documents as they are compared.

    Args:
        texts: Strings; a null counts as empty.
        repaired: Whether cleaning has repaired them, which twice does nothing.
    """
    texts = texts.cast(pa.large_string()).fill_null("")
    return without_unseen(texts if repaired else repair_all(texts)[0])


def without_unseen(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts without characters that are not shown, composed again where those stood between."""
    has = pc.match_substring_regex(texts, _UNSEEN)
    if not pc.any(has).as_py():
        return texts
    seen = pc.replace_substring_regex(texts.filter(has), _UNSEEN, "").to_pylist()
    # Arrow's own NFC leaves characters decomposed.
    composed = pa.array([unicodedata.normalize("NFC", text) for text in seen], pa.large_string())
    return pc.replace_with_mask(texts, has, composed)


class Forms:
    """The forms in which an evaluation text may be in a corpus."""

    def __init__(self, cleaned: CleanConfig | None = None) -> None:
        """Takes what the corpus was cleaned with; None: the defaults.

        Raises:
            ConfigError: A name in it is not known.
            InputError: Its list of boilerplate cannot be read.
        """
        cleaned = cleaned or CleanConfig()
        # Lists of addresses and words reject documents; they change no text.
        judge = Judge(
            cleaned, Resources.load(cleaned.model_copy(update={"url_blocklist": (), "word_blocklist": {}}))
        )
        self._resources = judge.resources
        self._redactor = Redactor(cleaned.privacy)
        plans = (judge.plans.default, *judge.plans.by_language.values())
        self._plans = [plan for plan in plans if any(not isinstance(item, Rule) for item in plan.items)]
        self.repaired = judge.plans.repair

    def of(self, texts: Sequence[str]) -> list[list[str]]:
        """The different forms of each text, the repaired one first."""
        written = pa.array([unicodedata.normalize("NFC", text) for text in texts], pa.large_string())
        forms = [repair_all(written)[0], written]
        if not self.repaired:
            # A document was redacted as it was.
            forms.append(pa.array(list(texts), pa.large_string()))
        forms += [self._after_steps(plan, text) for plan in self._plans for text in forms]
        forms += [self._redactor.redact_all(text)[0] for text in forms]
        columns = [without_unseen(repair_all(text)[0]).to_pylist() for text in forms]
        return [list(dict.fromkeys(row)) for row in zip(*columns, strict=True)]

    def _after_steps(self, plan: Plan, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        stats = BatchStats(
            texts, plan.splitter, identify(texts), plan.languages, frozenset(), None, self._resources
        )
        for item in plan.items:
            if not isinstance(item, Rule):
                stats = stats.with_texts(item.apply(stats))
        return stats.texts


def placeholders_in(words: np.ndarray, placeholders: np.ndarray, length: int) -> np.ndarray:
    """How many of each `length` neighbouring words are placeholders, by the hashes of single words."""
    total = np.concatenate([[0], np.cumsum(np.isin(words, placeholders))])
    return total[length:] - total[:-length]
