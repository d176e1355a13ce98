"""The forms that cleaning may give to a text that somebody else wrote.

A document is repaired, changed by the steps of a profile and redacted. So a text of which a document may
hold a copy is looked for as it is, repaired, with the placeholders of the corpus, and behind the steps of
each of its profiles. Its form in a document depends on what stands around it there, which is why no form
replaces another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pyarrow as pa

from conf.clean import CleanConfig
from pipelines.clean.judge import Judge
from pipelines.clean.language import identify
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.profiles import ProfilePlan
from pipelines.clean.resources import Resources
from pipelines.clean.rules import Rule
from pipelines.clean.stats import BatchStats
from pipelines.text.repair import repair_all
from pipelines.text.unseen import without_unseen


class CleanedForms:
    """The forms in which a text may be in a corpus, by what the corpus was cleaned with.

    Attributes:
        repaired: Whether its documents are known to be repaired.
    """

    def __init__(self, cleaned: CleanConfig | None = None) -> None:
        """Takes what the corpus was cleaned with; None: not known, so that the defaults are taken.

        Raises:
            ConfigError: A name in it is not known.
            InputError: Its list of boilerplate cannot be read.
        """
        is_known = cleaned is not None
        cleaned = cleaned or CleanConfig()
        # Lists of addresses and words reject documents; they change no text.
        judge = Judge(
            cleaned, Resources.load(cleaned.model_copy(update={"url_blocklist": (), "word_blocklist": {}}))
        )
        self._resources = judge.resources
        self._redactor = Redactor(cleaned.privacy)
        plans = (judge.plans.default, *judge.plans.by_language.values())
        self._plans = [plan for plan in plans if any(not isinstance(item, Rule) for item in plan.items)]
        self._repairs = judge.plans.repair
        self.repaired = is_known and self._repairs

    def of(self, texts: Sequence[str]) -> list[list[str]]:
        """The different forms of each text, the repaired one first."""
        written = pa.array([unicodedata.normalize("NFC", text) for text in texts], pa.large_string())
        forms = [repair_all(written)[0], written]
        if not self._repairs:
            # A document was redacted as it was.
            forms.append(pa.array(list(texts), pa.large_string()))
        forms += [self._after_steps(plan, text) for plan in self._plans for text in forms]
        forms += [self._redactor.redact_all(text)[0] for text in forms]
        columns = [without_unseen(repair_all(text)[0]).to_pylist() for text in forms]
        return [list(dict.fromkeys(row)) for row in zip(*columns, strict=True)]

    def _after_steps(self, plan: ProfilePlan, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        stats = BatchStats(
            texts, plan.splitter, identify(texts), plan.languages, frozenset(), None, self._resources
        )
        for item in plan.items:
            if not isinstance(item, Rule):
                stats = stats.with_texts(item.apply(stats))
        return stats.texts
