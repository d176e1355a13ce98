"""The models of a recipe: one a seed, each trained by the stage `train` in a lake of its own, then scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conf import RunConfig
from pipelines.compare.adopt import adopt
from pipelines.compare.corpora import Corpus
from pipelines.compare.held_out import HeldOutText
from pipelines.compare.place import Place, keep, kept
from pipelines.compare.recipes import data_stages
from pipelines.compare.statistics import Floats
from pipelines.errors import InputError
from pipelines.lake import Lake
from pipelines.run.artefacts import model_identity
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.run.keys import digest
from pipelines.settings import load
from pipelines.sources import module_digest
from pipelines.stages import BY_NAME
from training.held_out import score_models

_SCORING = "training.inference.held_out"


@dataclass(frozen=True)
class TrainedModel:
    """The model of a recipe and a seed.

    Attributes:
        letter: The recipe.
        seed: The seed.
        lake: Its lake.
    """

    letter: str
    seed: int
    lake: Lake


def steps_of(config: RunConfig, budget: int) -> int:
    """Steps in which a model sees a budget of tokens.

    Raises:
        InputError: It is not one global batch.
    """
    length = config.pack.sequence_length
    try:
        batch = config.train.sequences_per_step(length)
    except ValueError as error:
        raise InputError(str(error)) from None
    steps = budget // (batch * length)
    if not steps:
        raise InputError(
            f"--budget {budget:,} is less than one global batch of {batch} sequences of {length} tokens "
            f"({batch * length:,}); raise it, or lower train.global_batch_size"
        )
    return steps


def train_models(
    corpora: Sequence[Corpus], place: Place, budget: int, seeds: Sequence[int]
) -> list[TrainedModel]:
    """Trains the models that are not there yet: of each seed one of every recipe.

    A recipe whose sequences are those of another one has its models.

    Args:
        corpora: The corpora.
        place: The comparison.
        budget: Training tokens.
        seeds: Seeds of weights and sample plan.
    """
    models: list[TrainedModel] = []
    for number, seed in enumerate(seeds, start=1):
        for corpus in corpora:
            if corpus.twin is not None:
                continue
            letter, context = corpus.recipe.letter, corpus.context
            lake = place.model(letter, seed)
            adopt(context.lake, lake, data_stages(context.config))
            context.console.say(f"model of recipe {letter}, seed {seed} ({number} of {len(seeds)})")
            run_stages(_model_context(corpus, lake, budget, seed), [BY_NAME["train"]])
            models.append(TrainedModel(letter, seed, lake))
    return models


def _model_context(corpus: Corpus, lake: Lake, budget: int, seed: int) -> Context:
    own = corpus.context
    changes = {"train.seed": seed, "train.steps": steps_of(own.config, budget)}
    overrides = (*own.overrides, *corpus.recipe.settings(lake.location, changes))
    config = load(own.run_file, overrides)
    return Context(config, lake, own.console, run_file=own.run_file, overrides=overrides)


def score(
    models: Sequence[TrainedModel], texts: Sequence[HeldOutText], place: Place, context: Context
) -> dict[str, Floats]:
    """Nats of each text by each model, by recipe: arrays (seeds, texts) in the order of the models' seeds.

    Models that were scored on these texts are not scored again.

    Args:
        models: The models.
        texts: The held-out texts.
        place: The comparison.
        context: Says where Spark runs.
    """
    key = digest([[text.id, text.text] for text in texts], module_digest(_SCORING))
    keys = {(model.letter, model.seed): digest(key, model_identity(model.lake.model)) for model in models}
    found = {
        name: value
        for name, wanted in keys.items()
        if (value := kept(place.scores(*name), wanted)) is not None
    }
    lacking = [model for model in models if (model.letter, model.seed) not in found]
    if lacking:
        context.console.say(f"scoring {len(lacking)} models on {len(texts):,} held-out texts")
        scored = score_models(
            context.spark,
            context.config.train,
            [model.lake.model.location for model in lacking],
            [text.text for text in texts],
            context.config.evaluate.batch_size * context.config.pack.sequence_length,
            context.console.say,
        )
        for model, rows in zip(lacking, scored, strict=True):
            name = (model.letter, model.seed)
            found[name] = {"nats": [row.nats for row in rows], "tokens": sum(row.num_tokens for row in rows)}
            keep(place.scores(*name), keys[name], found[name])
    return _by_recipe(models, found)


def _by_recipe(
    models: Sequence[TrainedModel], found: Mapping[tuple[str, int], Mapping[str, list[float]]]
) -> dict[str, Floats]:
    result: dict[str, Floats] = {}
    for letter in dict.fromkeys(model.letter for model in models):
        rows = [found[letter, model.seed]["nats"] for model in models if model.letter == letter]
        result[letter] = np.array(rows, dtype=np.float64)
    return result
