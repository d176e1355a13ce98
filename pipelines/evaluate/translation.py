"""Scores of translations by sacrebleu (Post, "A Call for Clarity in Reporting BLEU Scores", WMT 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import EnvironmentProblem
from pipelines.evaluate.scores import Asked, Scored, TaskScores
from pipelines.text.script import CJK, script_of


@dataclass(frozen=True)
class TranslationScores:
    """How near translations come to those of people.

    Attributes:
        bleu: BLEU of the whole, 0 to 100.
        chrf: chrF of the whole, 0 to 100.
        signature: How sacrebleu computed BLEU, so that others can repeat it.
        by_sentence: chrF of each translation.
    """

    bleu: float
    chrf: float
    signature: str
    by_sentence: tuple[float, ...]


def score_translations(told: Sequence[str], wanted: Sequence[Sequence[str]]) -> TranslationScores:
    """The scores of some translations.

    Words are those of sacrebleu: characters where most of the references are Chinese, else tokens of 13a.

    Args:
        told: What a model wrote, at least one.
        wanted: For each the right translations, at least one.

    Raises:
        EnvironmentProblem: sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise EnvironmentProblem(
            "evaluate: translations are scored by sacrebleu, which is not installed; install ringlake[tasks]"
        ) from error
    most = max(map(len, wanted))
    # Sentences with fewer references than others have None in their places.
    streams: Any = [[refs[place] if place < len(refs) else None for refs in wanted] for place in range(most)]
    joined = "".join(refs[0] for refs in wanted)
    bleu = BLEU(tokenize="zh" if script_of(joined) == CJK else "13a")
    chrf = CHRF()
    found = bleu.corpus_score(list(told), streams)
    return TranslationScores(
        bleu=float(found.score),
        chrf=float(chrf.corpus_score(list(told), streams).score),
        signature=str(bleu.get_signature()),
        by_sentence=tuple(
            float(chrf.sentence_score(one, list(refs)).score) for one, refs in zip(told, wanted, strict=True)
        ),
    )


def _score(asked: Asked) -> Scored:
    """The translations, and the texts themselves as what one could have had without a model."""
    wanted = [one.row["target"] for one in asked.told]
    scores = score_translations([one.value for one in asked.told], [[text] for text in wanted])
    copied = score_translations([one.row["text"] for one in asked.told], [[text] for text in wanted])
    return Scored(
        metrics={"bleu": scores.bleu, "chrf": scores.chrf},
        baselines={"the text itself": {"bleu": copied.bleu, "chrf": copied.chrf}},
        goodness=scores.by_sentence,
        wanted=wanted,
        more={"signature": scores.signature},
    )


SCORES = TaskScores(_score)
