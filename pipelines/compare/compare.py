"""The comparison from end to end: corpora, held-out texts, models, scores, verdict; what is done is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conf import ConfigError
from pipelines.compare.corpora import Corpus, check_recipes, corpus_facts, make_corpora
from pipelines.compare.differences import differences
from pipelines.compare.held_out import asked, choose
from pipelines.compare.models import TrainedModel, score, steps_of, train_models
from pipelines.compare.page import write_page
from pipelines.compare.place import Place
from pipelines.compare.recipes import Recipe, read_recipes
from pipelines.compare.spent import spent
from pipelines.compare.verdict import Scores, judge
from pipelines.console.console import Console
from pipelines.lake import Lake
from pipelines.lake.paths import write_json

FEWEST_SEEDS = 2
"""One seed says nothing of how much seeds differ."""


@dataclass(frozen=True)
class Request:
    """What is compared, and how.

    Attributes:
        run_files: A run file for each recipe.
        budget: Training tokens of each model.
        seeds: How many seeds, from `train.seed` on.
        out: Folder of the comparison.
        overrides: The `--set` texts, for all recipes.
        held_out: A file of the user's own with held-out texts; None: they are chosen from the documents.
        documents: Most held-out texts.
        confidence: That of the verdict.
    """

    run_files: tuple[str, ...]
    budget: int
    seeds: int
    out: str
    overrides: tuple[str, ...] = ()
    held_out: str | None = None
    documents: int = 1000
    confidence: float = 0.95

    def check(self) -> None:
        """ConfigError if a value is not allowed."""
        if self.seeds < FEWEST_SEEDS:
            raise ConfigError(
                f"--seeds {self.seeds}: of fewer than {FEWEST_SEEDS} seeds nobody knows how much seeds "
                f"differ; give "
                f"{FEWEST_SEEDS}, better 3"
            )
        if self.budget < 1:
            raise ConfigError(f"--budget {self.budget}: give a number of training tokens above 0")
        if not 0.5 <= self.confidence < 1:
            raise ConfigError(f"--confidence {self.confidence}: give a share of at least 0.5 and below 1")


def compare(request: Request, console: Console) -> dict[str, Any]:
    """Compares recipes and writes compare.json and compare.html; what is done already is not done again.

    Args:
        request: What is compared.
        console: Where progress goes.

    Returns:
        What compare.json has.

    Raises:
        ConfigError: A run file or an option is wrong, or the recipes train different models.
        RinglakeError: A stage failed, or the recipes have too little in common.
    """
    request.check()
    recipes = read_recipes(request.run_files, request.overrides)
    check_recipes(recipes)
    steps_of(recipes[0].config, request.budget)
    place = Place.at(request.out)
    place.root.create()
    with Lake(place.root).locked():
        return _compare(request, recipes, place, console)


def _compare(request: Request, recipes: Sequence[Recipe], place: Place, console: Console) -> dict[str, Any]:
    cleaned = {recipe.letter: _last_clean(recipe) for recipe in recipes}
    first = make_corpora(recipes, place, console, request.budget, None, cleaned)
    texts = choose([corpus.context for corpus in first], recipes, place, request.documents, request.held_out)
    corpora = make_corpora(recipes, place, console, request.budget, place.held_out.location)
    texts = asked(texts, [corpus.context.lake for corpus in corpora], request.held_out)
    start = recipes[0].config.train.seed
    seeds = list(range(start, start + request.seeds))
    models = train_models(corpora, place, request.budget, seeds)
    nats = score(models, texts, place, corpora[0].context)
    for corpus in corpora:
        if corpus.twin is not None:
            nats[corpus.recipe.letter] = nats[corpus.twin]
    nats = {corpus.recipe.letter: nats[corpus.recipe.letter] for corpus in corpora}
    result = judge(Scores(nats, texts, seeds), request.confidence, request.budget)
    result |= _about(request, corpora, models, len(texts))
    result["cost"] = spent(corpora, models)
    write_page(result, differences(corpora, place), place)
    write_json(place.result, result)
    console.say(f"done: {place.result} and {place.page}")
    return result


def _last_clean(recipe: Recipe) -> str:
    return "clean" if recipe.config.repeats.unit is None else "repeats"


def _about(
    request: Request, corpora: Sequence[Corpus], models: Sequence[TrainedModel], num_texts: int
) -> dict[str, Any]:
    return {
        "budget_tokens": request.budget,
        "held_out": {"texts": num_texts, "given": request.held_out},
        "recipes": {
            corpus.recipe.letter: {
                "run_file": corpus.recipe.run_file,
                "name": corpus.recipe.config.name,
                "same_as": corpus.twin,
                **corpus_facts(corpus),
            }
            for corpus in corpora
        },
        "models": [
            {"recipe": model.letter, "seed": model.seed, "folder": model.lake.model.location}
            for model in models
        ],
    }
