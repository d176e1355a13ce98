"""Validation steers: the best step, early stopping, a lower learning rate on a plateau."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from conf.train import TrainConfig
from ringlake.base.storage import Folder
from tests.training.tiny import make_config, make_job
from training.job import COMPUTED_BY, deciding_settings
from training.logs.metrics import read_metrics
from training.loop import train_rank
from training.optim import learning_rate
from training.steering import Steering


def follow(losses: list[float], config: TrainConfig) -> Steering:
    steering = Steering()
    for step, loss in enumerate(losses, start=1):
        steering.note(loss, step, config)
        if steering.stopped:
            break
    return steering


def test_it_stops_after_patience_validations_without_a_gain_of_min_delta() -> None:
    config = make_config(patience=2, min_delta=0.1)
    assert not follow([3.0, 2.5, 2.45, 2.3], config).stopped
    stopped = follow([3.0, 2.5, 2.45, 2.42, 1.0], config)
    # 2.45 and 2.42 are lower, but not by min_delta: the best one is kept all the same.
    assert (stopped.stopped, stopped.best_step, stopped.best_loss) == (True, 4, 2.42)


def test_the_rate_falls_by_the_factor_on_each_plateau_and_waits_anew() -> None:
    config = make_config(plateau={"patience": 2, "factor": 0.5})
    assert follow([3.0, 3.1], config).rate_scale == 1.0
    assert follow([3.0, 3.1, 3.1], config).rate_scale == 0.5
    assert follow([3.0, 3.1, 3.1, 3.1], config).rate_scale == 0.5
    assert follow([3.0, 3.1, 3.1, 3.1, 3.1], config).rate_scale == 0.25
    assert follow([3.0, 3.1, 2.9, 3.1], config).rate_scale == 1.0


def test_a_validation_that_is_no_number_is_no_improvement() -> None:
    steering = follow([2.0, math.nan, math.nan], make_config(patience=2))
    assert (steering.stopped, steering.best_loss, steering.best_step) == (True, 2.0, 1)
    first = follow([math.nan, math.nan], make_config(patience=2))
    assert (first.stopped, first.best_step) == (True, 0)
    assert follow([math.nan, 2.0, 2.5], make_config()).best_step == 2


@given(losses=st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_the_best_step_is_the_first_of_the_lowest_losses(losses: list[float]) -> None:
    steering = follow(losses, make_config())
    assert (steering.best_loss, steering.best_step) == (min(losses), losses.index(min(losses)) + 1)
    assert (steering.rate_scale, steering.stopped) == (1.0, False)


@given(losses=st.lists(st.floats(0, 10), max_size=30), cut=st.integers(0, 30))
def test_decisions_go_on_from_a_checkpoint_as_if_nothing_had_happened(losses: list[float], cut: int) -> None:
    config = make_config(patience=4, min_delta=0.05, plateau={"patience": 2})
    whole, again = Steering(), Steering()
    for step, loss in enumerate(losses, start=1):
        if step == cut:
            again = Steering(**asdict(again))
        assert whole.note(loss, step, config) == again.note(loss, step, config)


def test_what_steers_is_part_of_the_training_only_where_it_steers() -> None:
    assert "validate_every" not in deciding_settings(make_config())
    assert "validate_every" in deciding_settings(make_config(patience=3))
    assert "validate_sequences" in deciding_settings(make_config(plateau={"patience": 3}))
    assert not COMPUTED_BY - set(TrainConfig.model_fields)


@pytest.fixture(scope="module")
def worsening(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A training that learns its few sequences by heart, stopped by its validation loss."""
    config = make_config(
        steps=200,
        learning_rate=3e-2,
        schedule="constant",
        validate_every=5,
        patience=4,
        plateau={"patience": 2, "factor": 0.5},
        export="best",
        checkpoint_every=1000,
        keep_checkpoints=1,
    )
    job = make_job(tmp_path_factory.mktemp("worsening"), config)
    return job, train_rank(job)


def test_training_stops_early_and_the_model_is_the_best_one(worsening: Any) -> None:
    job, trained = worsening
    lines = read_metrics(Folder(job.checkpoint_dir))
    scored = {line["step"]: line["validation_loss"] for line in lines if "validation_loss" in line}
    best = min(scored, key=lambda step: scored[step])
    assert trained.stopped_early
    assert trained.totals.step == lines[-1]["step"] == best + 4 * 5 < 200
    assert (trained.best_step, trained.best_validation_loss) == (best, scored[best])
    kept = [f"step-{step:09d}" for step in (best, best + 20)]
    assert [name for name in Folder(job.checkpoint_dir).names() if name.startswith("step-")] == kept
    exported = load_file(Path(job.model_dir) / "model.safetensors")
    weights = load_file(Path(job.checkpoint_dir) / kept[0] / "model.safetensors")
    assert exported.keys() == weights.keys()
    assert all((exported[name] == weights[name]).all() for name in weights)
    assert f"| weights of step | {best} |" in Path(job.model_dir, "README.md").read_text()


def test_the_rate_in_the_log_is_lower_after_the_plateau(worsening: Any) -> None:
    job, trained = worsening
    scales = {
        line["step"]: line["lr"] / learning_rate(job.config, line["step"] - 1)
        for line in read_metrics(Folder(job.checkpoint_dir))
    }
    best = trained.best_step
    assert scales[best + 11] == pytest.approx(scales[best + 10] / 2)
    said = [line.get("decisions") for line in read_metrics(Folder(job.checkpoint_dir))]
    assert any(
        "the learning rate is now 0.5 of its schedule" in text for texts in said if texts for text in texts
    )
    assert any("training stops" in text for text in said[-1] or ())


def test_a_training_that_stopped_early_is_not_done_again_and_may_export_the_last(
    worsening: Any, tmp_path: Path
) -> None:
    job, trained = worsening
    last = replace(
        job, model_dir=str(tmp_path / "m"), config=job.config.model_copy(update={"export": "last"})
    )
    again = train_rank(last)
    assert (again.totals.step, again.resumed_from) == (trained.totals.step, trained.totals.step)
    assert f"| weights of step | {trained.totals.step} |" in (tmp_path / "m" / "README.md").read_text()
