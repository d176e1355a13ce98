"""What each recipe cost, as the ledgers of its lakes have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from conf.cost import CostConfig
from pipelines.compare.adopt import ADOPTED
from pipelines.compare.corpora import Corpus
from pipelines.compare.models import TrainedModel
from pipelines.compare.recipes import data_stages
from pipelines.lake import Ledger, RunRecord
from pipelines.run.money import money, total, usage_of

MILLION = 10**6


def spent(corpora: Sequence[Corpus], models: Sequence[TrainedModel]) -> dict[str, Any]:
    """The cost of each recipe by its letter, as JSON values.

    Stages that a recipe shares are counted for each that shares them: it is what the recipe costs alone. The
    corpus and a model are told apart, since a recipe is run once and a model of it perhaps many times.

    Args:
        corpora: The corpora.
        models: The models.
    """
    return {corpus.recipe.letter: _of(corpus, models) for corpus in corpora}


def _of(corpus: Corpus, models: Sequence[TrainedModel]) -> dict[str, Any]:
    prices = corpus.recipe.config.cost
    owner = corpus.twin or corpus.recipe.letter
    stages = [corpus.context.last(stage.name) for stage in data_stages(corpus.context.config)]
    trained = [
        record
        for model in models
        if model.letter == owner and (record := Ledger(model.lake).latest("train")) is not None
    ]
    tokens = int(corpus.context.last("pack").details["tokens"])
    steps = sum(int(record.details["steps"]) for record in trained)
    making, training = total(stages), total(trained)
    return {
        "currency": prices.currency,
        "stages": [_stage(record, prices) for record in [*stages, *trained]],
        "corpus": asdict(making) | {"money": money(making, prices)},
        "training": asdict(training) | {"money": money(training, prices)},
        "money_per_million_tokens": _ratio(money(making, prices), tokens / MILLION),
        "money_per_step": _ratio(money(training, prices), steps),
        "cpu_seconds_per_million_tokens": _ratio(making.cpu_seconds, tokens / MILLION),
        "cpu_seconds_per_step": _ratio(training.cpu_seconds, steps),
    }


def _stage(record: RunRecord, prices: CostConfig) -> dict[str, Any]:
    used = usage_of(record)
    return {
        "stage": record.stage,
        "seconds": record.seconds,
        "peak_memory_mb": record.peak_memory_mb,
        **({} if used is None else asdict(used)),
        "money": None if used is None else money(used, prices),
        "shared": ADOPTED in record.details,
    }


def _ratio(part: float | None, whole: float) -> float | None:
    return None if part is None or not whole else part / whole
