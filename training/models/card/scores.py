"""The scores of a model as its README shows them: those of `evaluation.json`, beside their baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ringlake.base.markdown import escaped, plain, table

_ROWS = {
    "model": "this model",
    "before": "the model that training began with",
    "bigram": "bigram",
    "unigram": "unigram",
}
"""What `evaluation.json` of a language model has scores of."""

_NAMES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "ece": "calibration error (ECE)",
    "macro_f1": "macro F1",
    "f1": "F1",
    "exact_match": "exact match",
    "bits_per_byte": "bits per byte",
    "loss": "loss (nats per target)",
}

NOT_YET = "Not evaluated yet: `ringlake evaluate` scores the model and writes this section."


def score_lines(scores: Mapping[str, Any] | None) -> list[str]:
    """The lines of the section.

    Args:
        scores: Content of `evaluation.json`; None: the model was not evaluated.
    """
    if scores is None:
        return [NOT_YET]
    metrics = scores.get("metrics") or {}
    rows = {"this model": metrics}
    if any(name in scores for name in ("unigram", "bigram")):
        rows = {shown: scores[name] for name, shown in _ROWS.items() if name in scores}
    rows |= {str(name): found for name, found in (scores.get("baselines") or {}).items()}
    columns = list(metrics)
    lines = [
        _asked(scores),
        "",
        *table(
            ["", *(_NAMES.get(name, escaped(name.replace("_", " "))) for name in columns)],
            [
                [escaped(name), *(_number(found.get(each)) for each in columns)]
                for name, found in rows.items()
            ],
        ),
    ]
    if scores.get("signature"):
        signature = plain(scores["signature"]).replace("`", "'")
        lines += ["", f"Computed by sacrebleu: `{signature}`"]
    missing = scores.get("not_answered") or {}
    if missing:
        told = ", ".join(f"{escaped(reason)} {count:,}" for reason, count in sorted(missing.items()))
        lines += ["", f"Without an answer, counted as wrong: {told}."]
    return lines


def _asked(scores: Mapping[str, Any]) -> str:
    version = f"of version {scores.get('sequences_version')} of `sequences`"
    if "examples" in scores:
        return f"{scores['examples']:,} examples of the validation split were asked, {version}."
    return (
        f"All {scores.get('sequences', 0):,} sequences of the validation split, {version}: "
        f"{scores.get('targets', 0):,} targets, {scores.get('bytes', 0):,} bytes."
    )


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.3f}"
