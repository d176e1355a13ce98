"""Each task has the sides that it declares, and pages and verbs know it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from conf.task import LANGUAGE_MODEL as CONFIGURED
from conf.task import TaskName
from pipelines.evaluate.scores import TaskScores
from pipelines.stages import BY_NAME
from pipelines.tokenize.tasks import Examples
from ringlake.base.tasks import LANGUAGE_MODEL, TASKS, TaskKind, part_of
from training.inference.folder import KINDS
from training.inference.options import VERBS, verb_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tasks" / "README.md").read_text("utf-8")


def test_the_configuration_knows_the_tasks() -> None:
    assert set(get_args(TaskName)) == set(TASKS)
    assert CONFIGURED == LANGUAGE_MODEL


@pytest.mark.parametrize("kind", TASKS.values(), ids=TASKS)
def test_the_sides_of_a_task_are_where_it_says(kind: TaskKind) -> None:
    assert kind.verb in VERBS
    assert callable(part_of(kind, "training", object))
    if kind.name == LANGUAGE_MODEL:
        assert not kind.examples
    else:
        assert isinstance(part_of(kind, "examples", Examples), Examples)
    if kind.scores:
        assert isinstance(part_of(kind, "scores", TaskScores), TaskScores)
    assert f"`{kind.name}`" in PAGE


@pytest.mark.parametrize("kind", TASKS.values(), ids=TASKS)
def test_the_models_of_a_task_are_those_that_its_verb_opens(kind: TaskKind) -> None:
    task = get_type_hints(part_of(kind, "training", object))["return"]
    assert task.kind == KINDS[verb_of(kind.verb)]


def test_code_of_all_tasks_counts_for_the_stages_that_use_it() -> None:
    for stage, part in (("tokenize", "examples"), ("train", "training"), ("evaluate", "scores")):
        wanted = {getattr(kind, part).partition(":")[0] for kind in TASKS.values()} - {""}
        assert wanted <= set(BY_NAME[stage].code)
