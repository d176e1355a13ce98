"""The recipes of a comparison: run files that differ in how they make a corpus, and train the same model."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf import ConfigError, RunConfig
from conf.decontaminate import DecontaminateConfig
from conf.reading import override
from pipelines.added import every_stage
from pipelines.run.keys import config_json
from pipelines.settings import load
from pipelines.stages import Stage
from ringlake.base.tasks import LANGUAGE_MODEL

MOST_RECIPES = len(string.ascii_uppercase)
"""A recipe is called by a letter."""

HELD_OUT = "held-out"
"""Name of the held-out texts among the evaluation sets of a recipe."""

_SAME_SECTIONS = ("task", "model", "train")
_SAME_KEYS = (("pack", "sequence_length"),)

_OVERLAP = tuple(name for name in DecontaminateConfig.model_fields if name != "sets")
"""Keys by which a recipe takes out what overlaps evaluation sets: the held-out texts are one of them."""


@dataclass(frozen=True)
class Recipe:
    """One of the recipes.

    Attributes:
        letter: What it is called: A, B, ... in the order in which they were given.
        run_file: Its run file as the user named it.
        overrides: The `--set` texts, the same for all recipes.
        config: Its configuration as the user wrote it.
    """

    letter: str
    run_file: str
    overrides: tuple[str, ...]
    config: RunConfig

    def with_lake(self, lake: str, changes: Mapping[str, Any] | None = None) -> RunConfig:
        """Its configuration with a lake of the comparison and other values of some keys."""
        return load(self.run_file, [*self.overrides, *self.settings(lake, changes)])

    def settings(self, lake: str, changes: Mapping[str, Any] | None = None) -> list[str]:
        """These changes as texts KEY=VALUE."""
        return [override(key, value) for key, value in {"lake": lake, **(changes or {})}.items()]

    def cut(self, budget: int, held_out: str | None) -> dict[str, Any]:
        """Values of keys with which it makes a corpus of a budget, without what overlaps held-out texts.

        Args:
            budget: Training tokens.
            held_out: File of the held-out texts; None: they are not chosen yet.
        """
        changes: dict[str, Any] = {"mix.token_budget": budget}
        if not self.config.mix.groups:
            changes["mix.groups"] = [{"name": "all"}]
        if held_out is not None:
            sets = [given.model_dump(mode="json") for given in self.config.decontaminate.sets]
            own = {"path": held_out, "name": HELD_OUT, "fields": ["text"], "id_field": "id"}
            changes["decontaminate.sets"] = [*sets, own]
        return changes


def read_recipes(run_files: Sequence[str], overrides: Sequence[str]) -> list[Recipe]:
    """The recipes of some run files.

    Raises:
        ConfigError: A run file is wrong, there are too few or too many, or they train different models.
    """
    if not 2 <= len(run_files) <= MOST_RECIPES:
        raise ConfigError(
            f"compare takes 2 to {MOST_RECIPES} run files, not {len(run_files)}; give one for each recipe"
        )
    recipes = [
        Recipe(letter, name, tuple(overrides), load(name, overrides))
        for letter, name in zip(string.ascii_uppercase, run_files, strict=False)
    ]
    for other in recipes[1:]:
        _check_same(recipes[0], other)
    if (task := recipes[0].config.task.name) != LANGUAGE_MODEL:
        raise ConfigError(
            f"task.name = {task!r}: compare scores texts in bits per byte, as a language model predicts "
            f"them; set it to {LANGUAGE_MODEL}, or evaluate the model of each recipe"
        )
    return recipes


def data_stages(config: RunConfig) -> list[Stage]:
    """The stages that make what is trained on, in order."""
    stages = every_stage()
    names = [stage.name for stage in stages]
    return [stage for stage in stages[: names.index("train")] if stage.is_enabled(config)]


def num_shared(first: RunConfig, second: RunConfig) -> int:
    """How many stages two recipes share, counted from the first: their configurations of these are equal."""
    count = 0
    for one, other in zip(data_stages(first), data_stages(second), strict=False):
        if one.name != other.name or config_json(one.config(first)) != config_json(other.config(second)):
            break
        count += 1
    return count


def _check_same(first: Recipe, other: Recipe) -> None:
    """ConfigError unless two recipes train and decontaminate in the same way."""
    different = []
    for name in _SAME_SECTIONS:
        one, two = (getattr(recipe.config, name).model_dump(mode="json") for recipe in (first, other))
        different += [(f"{name}.{key}", one[key], two[key]) for key in one if one[key] != two[key]]
    for section, key in (*_SAME_KEYS, *(("decontaminate", key) for key in _OVERLAP)):
        one, two = (getattr(getattr(recipe.config, section), key) for recipe in (first, other))
        if one != two:
            different.append((f"{section}.{key}", one, two))
    if different:
        key, one, two = different[0]
        others = [name for name, _, _ in different[1:]]
        more = f" (so do {', '.join(others[:5])})" if others else ""
        raise ConfigError(
            f"{key} is {one!r} in {first.run_file} and {two!r} in {other.run_file}{more}; compare trains the "
            f"same model on each recipe's corpus and takes what overlaps the held-out texts out of each in "
            f"the same way: give both the same value, or set it for all with --set {key}=VALUE"
        )
