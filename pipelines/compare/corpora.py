"""The corpus of each recipe, in a lake of its own; stages that recipes share are run by the first of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf import ConfigError
from pipelines.compare.adopt import adopt
from pipelines.compare.place import Place
from pipelines.compare.recipes import Recipe, data_stages, num_shared
from pipelines.console.console import Console
from pipelines.lake import Catalog
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.stages import Stage


@dataclass(frozen=True)
class Corpus:
    """What a recipe made.

    Attributes:
        recipe: The recipe.
        context: Its lake, with the configuration that made it.
        shared: Stages that another recipe ran for it, by its letter.
    """

    recipe: Recipe
    context: Context
    shared: Mapping[str, str]

    @property
    def twin(self) -> str | None:
        """A recipe with the very same sequences; None: there is none before it."""
        stages = [stage.name for stage in data_stages(self.context.config)]
        letters = set(self.shared.values())
        return self.shared[stages[-1]] if set(stages) == set(self.shared) and len(letters) == 1 else None

    @property
    def tokens_key(self) -> str:
        """The key of the run that made its sequences."""
        return self.context.last("pack").run_key

    @property
    def num_tokens(self) -> int:
        """Training tokens that it has, its documents counted once, with the tokens that end them."""
        groups = self.context.last("mix").details["groups"]
        return sum(int(group["tokens"]) for group in groups.values())


def check_recipes(recipes: Sequence[Recipe]) -> None:
    """ConfigError if making a recipe's corpus would change something outside of the comparison."""
    for recipe in recipes:
        if recipe.config.dedup.history is not None:
            raise ConfigError(
                f"{recipe.run_file}: dedup.history = {recipe.config.dedup.history!r} would get the documents "
                f"of a "
                f"comparison; set it to null: --set dedup.history=null"
            )


def make_corpora(
    recipes: Sequence[Recipe],
    place: Place,
    console: Console,
    budget: int,
    held_out: str | None,
    until: Mapping[str, str] | None = None,
) -> list[Corpus]:
    """Runs the stages of each recipe that are not up to date.

    Args:
        recipes: The recipes.
        place: The comparison.
        console: Where progress goes.
        budget: Training tokens of each corpus.
        held_out: File of the held-out texts; None: they are not chosen yet.
        until: The last stage of each recipe by its letter; None: all that make sequences.
    """
    made: list[Corpus] = []
    for recipe in recipes:
        lake = place.recipe(recipe.letter)
        changes = recipe.cut(budget, held_out)
        config = recipe.with_lake(lake.location, changes)
        context = Context(
            config,
            lake,
            console,
            run_file=recipe.run_file,
            overrides=(*recipe.overrides, *recipe.settings(lake.location, changes)),
        )
        stages = data_stages(config)
        if until is not None:
            names = [stage.name for stage in stages]
            stages = stages[: names.index(until[recipe.letter]) + 1]
        console.say(f"recipe {recipe.letter}: {recipe.run_file}")
        shared = _adopt_shared(context, made, stages)
        run_stages(context, stages)
        made.append(Corpus(recipe, context, shared))
    return made


def _adopt_shared(context: Context, made: Sequence[Corpus], wanted: Sequence[Stage]) -> dict[str, str]:
    """Takes over what an earlier recipe has run and this one would run in the same way.

    Args:
        context: The lake of a recipe.
        made: The recipes before it, which have run the stages that are wanted.
        wanted: The stages.

    Returns:
        The stages that they share, each with the letter of the other recipe.
    """
    if not made:
        return {}
    best = max(made, key=lambda other: num_shared(other.context.config, context.config))
    stages = wanted[: num_shared(best.context.config, context.config)]
    adopted = adopt(best.context.lake, context.lake, stages)
    if adopted:
        context.console.say(f"    shares {', '.join(adopted)} with recipe {best.recipe.letter}")
    return {stage.name: best.recipe.letter for stage in stages}


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    """Figures of a recipe's corpus, as JSON values."""
    catalog = Catalog(corpus.context.lake)
    packed = corpus.context.last("pack").details
    return {
        "documents": {
            name: catalog.info(name).rows for name in ("documents", "clean", "corpus") if catalog.exists(name)
        },
        "training_tokens": corpus.num_tokens,
        "packed_tokens": int(packed["tokens"]),
        "shared": dict(corpus.shared),
    }
