"""What a training that starts does with the checkpoints of others: nothing is lost without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from conf import RunConfig
from conf.model import ModelConfig
from conf.train import TrainConfig
from pipelines.bindings.earlier_trainings import after_training, before_training
from pipelines.console.console import Console
from pipelines.lake import Lake
from pipelines.run.context import Context
from training.checkpoints.checkpoint import Checkpoint, save_checkpoint
from training.errors import DataError
from training.job import settings_identity

OWN = "own"


class Heard(Console):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def wanted(train: TrainConfig | None = None, **changes: Any) -> dict[str, Any]:
    facts = {"table": "t", "version": 3, "code": "1.0+src.aa", "model.pretrained.content": "c"}
    return settings_identity(ModelConfig(), train or TrainConfig(steps=20)) | facts | changes


def leave(context: Context, name: str, step: int, identity: dict[str, Any], **state: Any) -> None:
    tensors = {"w": torch.zeros(2)}
    place = context.lake.checkpoints.child(name)
    save_checkpoint(place, Checkpoint(step, tensors, tensors, {"identity": identity, **state}), keep=2)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    lake = Lake.at(tmp_path / "lake")
    lake.create()
    return Context(RunConfig(lake=lake.location, train=TrainConfig(steps=20)), lake, Heard())


def said(context: Context) -> str:
    assert isinstance(context.console, Heard)
    return "\n".join(context.console.lines)


def test_an_interrupted_training_of_other_settings_is_told_and_kept(context: Context) -> None:
    leave(context, "trial", 8, wanted(TrainConfig(steps=20, learning_rate=0.5)))
    leave(context, OWN, 20, wanted())
    before_training(context, OWN, wanted())
    assert "trial holds a training that was interrupted at step 8 and differs in train.learning_rate" in said(
        context
    )
    after_training(context, OWN)
    assert context.lake.checkpoints.names() == [OWN, "trial"]


def test_what_is_finished_stopped_or_empty_goes_after_the_next_one(context: Context) -> None:
    leave(context, "finished", 20, wanted(TrainConfig(steps=20, seed=9)))
    leave(context, "stopped", 4, wanted(TrainConfig(steps=20, patience=1)), steering={"stopped": True})
    context.lake.checkpoints.child("empty").create()
    leave(context, "torn", 4, wanted(TrainConfig(steps=20, seed=8)))
    context.lake.checkpoints.child("torn").child("step-000000004").delete("model.safetensors")
    before_training(context, OWN, wanted())
    assert "torn holds checkpoints of another training, none of which is whole; it is kept" in said(context)
    after_training(context, OWN)
    assert context.lake.checkpoints.names() == ["torn"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"code": "1.0+src.bb"},
            r"its code have changed since: it was trained by ringlake 1\.0\+src\.aa, and",
        ),
        ({"model.pretrained.content": "d"}, r"model\.pretrained = None had the content c, now it has d"),
        ({"version": 4}, r"t was at version 3, now it is at version 4"),
    ],
)
def test_an_interrupted_one_is_not_mixed_with_other_inputs_nor_thrown_away(
    changed: dict[str, Any], words: str, context: Context
) -> None:
    leave(context, "before", 8, wanted())
    with pytest.raises(DataError, match=rf"interrupted at step 8 of 20, .*{words}"):
        before_training(context, OWN, wanted(**changed))
    assert context.lake.checkpoints.names() == ["before"]


def test_one_of_an_earlier_release_without_a_note_of_its_code_is_refused(context: Context) -> None:
    identity = wanted()
    del identity["code"]
    leave(context, "before", 8, identity)
    with pytest.raises(
        DataError, match=r"a release of ringlake that does not say, and this is ringlake 1\.0"
    ):
        before_training(context, OWN, wanted())


def test_more_steps_or_other_code_after_a_finished_one_are_told(context: Context) -> None:
    leave(context, "short", 10, wanted(TrainConfig(steps=10)))
    leave(context, "old", 20, wanted(code="0.9+src.cc"))
    leave(context, "seed", 20, wanted(TrainConfig(steps=20, seed=5)))
    before_training(context, OWN, wanted())
    lines = said(context).splitlines()
    assert len(lines) == 2
    assert "old holds a finished training that differs in code; this one starts at step 1" in lines[0]
    assert "short holds a finished training of 10 steps" in lines[1]
    assert "starts at step 1" in lines[1]


def test_a_forced_training_is_done_again_if_it_is_finished_and_goes_on_if_not(context: Context) -> None:
    leave(context, OWN, 8, wanted())
    context.forced = True
    before_training(context, OWN, wanted())
    assert context.lake.checkpoints.names() == [OWN]
    leave(context, OWN, 20, wanted())
    context.forced = False
    before_training(context, OWN, wanted())
    assert context.lake.checkpoints.names() == [OWN]
    context.forced = True
    before_training(context, OWN, wanted())
    assert context.lake.checkpoints.names() == []
    assert "--force" in said(context)
