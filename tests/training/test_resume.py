"""An interrupted training ends like an undisturbed one, with every optimizer, precision and steering."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringlake.base.storage import Folder
from tests.training.tiny import make_config, make_job
from training.logs.metrics import read_metrics
from training.loop import train_rank
from training.step import Stepper


class Crash(Exception):
    """Ends a training between two steps."""


def crash_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Stepper.step

    def stepping(self: Any, batch: Any, wait: float, **more: Any) -> Any:
        if batch.step == step:
            raise Crash
        return original(self, batch, wait, **more)

    monkeypatch.setattr(Stepper, "step", stepping)


VARIANTS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam"},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 1e-3, "schedule": "linear"},
    "rmsprop-momentum": {"optimizer": "rmsprop", "momentum": 0.5, "learning_rate": 1e-3},
    "sgd": {"optimizer": "sgd", "schedule": "constant"},
    "sgd-nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "learning_rate": 0.1},
    "adafactor": {"optimizer": "adafactor", "schedule": "warmup-stable-decay"},
    "fp16": {"precision": "fp16"},
    "steering": {"validate_every": 1, "min_delta": 1.0, "plateau": {"patience": 2, "factor": 0.7}},
    "tokens": {"global_batch_tokens": 100},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_resume_equals_an_undisturbed_run(
    variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = make_job(tmp_path, make_config(steps=10, keep_checkpoints=1, **VARIANTS[variant]))
    train_rank(undisturbed)
    job = replace(
        undisturbed, checkpoint_dir=str(tmp_path / "again"), model_dir=str(tmp_path / "again-model")
    )
    with monkeypatch.context() as patch:
        crash_at(6, patch)
        with pytest.raises(Crash):
            train_rank(job)
    assert train_rank(job).resumed_from in (4, 6)

    curves = [read_metrics(Folder(one.checkpoint_dir)) for one in (undisturbed, job)]
    for name in ("step", "loss", "lr", "grad_norm", "ids_hash", "validation_loss", "best_step", "loss_scale"):
        assert [line.get(name) for line in curves[1]] == [line.get(name) for line in curves[0]], name
    weights = [Path(one.model_dir, "model.safetensors").read_bytes() for one in (undisturbed, job)]
    assert weights[0] == weights[1]
