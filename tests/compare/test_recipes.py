"""Recipes of which a verdict would say nothing are refused; what they share is what is configured alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf import ConfigError
from pipelines.compare.compare import Request
from pipelines.compare.corpora import check_recipes
from pipelines.compare.models import steps_of
from pipelines.compare.recipes import data_stages, num_shared, read_recipes
from pipelines.errors import InputError
from tests.support.cli import SMALL_RUN, write_run


def files(tmp_path: Path, **changes: Any) -> list[str]:
    """Two run files, the second with other sections."""
    corpus = tmp_path / "corpus.jsonl"
    return [
        str(write_run(tmp_path / "a.yaml", corpus)),
        str(write_run(tmp_path / "b.yaml", corpus, **changes)),
    ]


def test_stages_are_shared_up_to_the_first_that_differs(tmp_path: Path) -> None:
    one, other = read_recipes(files(tmp_path, dedup={"method": "exact"}), ())
    assert [stage.name for stage in data_stages(one.config)] == [
        "ingest",
        "clean",
        "dedup",
        "tokenize",
        "pack",
    ]
    assert num_shared(one.config, other.config) == 2
    assert num_shared(one.config, one.config) == 5


def test_a_stage_that_one_leaves_out_ends_what_is_shared(tmp_path: Path) -> None:
    one, other = read_recipes(files(tmp_path, repeats={"unit": "line"}), ())
    assert num_shared(one.config, other.config) == 2


def test_other_models_are_refused_with_key_and_remedy(tmp_path: Path) -> None:
    changed = {**SMALL_RUN["train"], "learning_rate": 0.01}
    given = files(tmp_path, train=changed)
    with pytest.raises(ConfigError, match=r"train.learning_rate is 0.003 .* --set train.learning_rate=VALUE"):
        read_recipes(given, ())
    assert len(read_recipes(given, ("train.learning_rate=0.01", "train.min_learning_rate=0.001"))) == 2


def test_decontamination_must_be_alike(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"decontaminate.ngram is 13 .* and 8"):
        read_recipes(files(tmp_path, decontaminate={"ngram": 8}), ())


def test_one_recipe_is_none_too_few(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"2 to 26 run files, not 1"):
        read_recipes(files(tmp_path)[:1], ())


def test_a_history_is_not_written_to(tmp_path: Path) -> None:
    recipes = read_recipes(files(tmp_path, dedup={"history": str(tmp_path / "history")}), ())
    with pytest.raises(ConfigError, match=r"dedup\.history=null"):
        check_recipes(recipes)


def test_the_cut_is_a_mixture_of_all_or_of_the_recipes_own_groups(tmp_path: Path) -> None:
    groups = {"groups": [{"name": "own", "sources": ["*"]}]}
    one, other = read_recipes(files(tmp_path, mix=groups), ())
    made = [recipe.with_lake("lake", recipe.cut(5000, "held-out.jsonl")) for recipe in (one, other)]
    assert [config.mix.token_budget for config in made] == [5000, 5000]
    assert [[group.name for group in config.mix.groups] for config in made] == [["all"], ["own"]]
    assert [[each.name for each in config.decontaminate.sets] for config in made] == [["held-out"]] * 2


def test_steps_are_whole_global_batches_of_the_budget(tmp_path: Path) -> None:
    config = read_recipes(files(tmp_path), ())[0].config
    assert steps_of(config, 64 * 8 * 10 + 511) == 10
    with pytest.raises(InputError, match=r"less than one global batch .* \(512\)"):
        steps_of(config, 511)


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"seeds": 1}, "--seeds 1"), ({"budget": 0}, "--budget 0"), ({"confidence": 1.0}, "--confidence 1.0")],
)
def test_options_that_allow_no_verdict_are_refused(changes: dict[str, Any], told: str) -> None:
    given: dict[str, Any] = {"run_files": ("a", "b"), "budget": 1000, "seeds": 3, "out": "out"}
    with pytest.raises(ConfigError, match=told):
        Request(**(given | changes)).check()
