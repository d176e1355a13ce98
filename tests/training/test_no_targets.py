"""A sequence of one token has no target: batches, shards and validation sets of nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from ringlake.base.storage import Folder
from tests.training.tables import random_tokens, write_sequences
from tests.training.tiny import LENGTH, VOCAB_SIZE, job_of, make_config, make_tokenizer
from training.data.snapshot import Snapshot
from training.evaluate import evaluate_rank
from training.job import EvaluateJob, TrainJob
from training.launch import LaunchOptions, launch_local
from training.logs.metrics import read_metrics
from training.logs.progress import Progress, loss_text
from training.loop import take_part, train_rank
from training.outcome import Score, Trained
from training.sources import open_sources

NUM_TRAIN = 9
"""A batch of eight, then the last one of each epoch, which is a single sequence."""


def sequences(folder: Path, tokenizer: Path, split: str, count: int, last: int) -> Snapshot:
    """Sequences of which the last has so many tokens."""
    tokens = random_tokens(count, LENGTH, VOCAB_SIZE)
    snapshot = write_sequences(
        folder / split, tokens, vocab_size=VOCAB_SIZE, last_num_tokens=last, split=split
    )
    digest = sha256((tokenizer / "tokenizer.json").read_bytes()).hexdigest()
    return replace(snapshot, table=str(folder), tokenizer_hash=digest)


def make_job(folder: Path, held_out: tuple[int, int] = (4, 5), **changes: Any) -> TrainJob:
    """Four steps, two epochs; in one of them at least the last batch is the sequence of one token alone."""
    tokenizer = make_tokenizer(folder / "tokenizer")
    train = sequences(folder / "sequences", tokenizer, "train", NUM_TRAIN, 1)
    validation = sequences(folder / "sequences", tokenizer, "validation", *held_out)
    settings = {"steps": 4, "canonical_shards": 2, "validate_every": 2, "checkpoint_every": 2, **changes}
    for seed in range(100):
        config = make_config(seed=seed, **settings)
        sources = open_sources(config, train, [])
        if np.concatenate(sources.plan.batch(1)).tolist() == [NUM_TRAIN - 1]:
            break
    else:
        raise AssertionError("no seed puts the last sequence last")
    return job_of(folder, config, sources, validation, tokenizer)


def lines_of(job: TrainJob) -> list[dict[str, Any]]:
    return read_metrics(Folder(job.checkpoint_dir))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainJob, Trained]:
    job = make_job(tmp_path_factory.mktemp("alone"), checkpoint_every=1, keep_checkpoints=9)
    return job, train_rank(job)


def test_a_step_without_a_target_changes_nothing_and_says_so(alone: tuple[TrainJob, Trained]) -> None:
    job, trained = alone
    lines = lines_of(job)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    empty = lines[1]
    assert (empty["loss"], empty["grad_norm"], empty["sequences"], empty["tokens"]) == (None, None, 1, 1)
    assert all(line["loss"] > 0 and line["grad_norm"] > 0 for line in (lines[0], lines[2]))
    for kind in ("model", "optimizer"):
        before, after = (
            load_file(Path(job.checkpoint_dir) / f"step-{step:09d}" / f"{kind}.safetensors")
            for step in (1, 2)
        )
        assert all((before[name] == after[name]).all() for name in before), kind
    assert trained.totals.sequences == 2 * NUM_TRAIN
    assert trained.totals.lost == 0
    assert trained.totals.loss == next(line["loss"] for line in reversed(lines) if line["loss"] is not None)
    json.loads((Path(job.checkpoint_dir) / "metrics.jsonl").read_text().splitlines()[1], parse_constant=int)


def test_it_goes_on_after_a_resume_from_that_step(alone: tuple[TrainJob, Trained], tmp_path: Path) -> None:
    job, trained = alone
    resumed = replace(job, checkpoint_dir=str(tmp_path / "c"), model_dir=str(tmp_path / "m"))
    Path(resumed.checkpoint_dir).mkdir()
    (tmp_path / "c" / "step-000000002").symlink_to(Path(job.checkpoint_dir) / "step-000000002")
    again = train_rank(resumed)
    assert (again.resumed_from, again.totals.loss) == (2, trained.totals.loss)
    assert [line["loss"] for line in lines_of(resumed)] == [line["loss"] for line in lines_of(job)[2:]]


STRATEGIES: dict[str, tuple[int, dict[str, Any]]] = {
    "ring": (2, {"name": "ring"}),
    "fp16-ring": (2, {"name": "ring", "ring": {"compression": "fp16"}}),
    "ddp": (2, {"name": "ddp"}),
    "sharded": (2, {"name": "ddp", "ddp": {"shard": True}}),
    "server": (2, {"name": "parameter_server"}),
    "async": (2, {"name": "parameter_server", "parameter_server": {"mode": "async"}}),
    "local": (2, {"name": "local_sgd", "local_sgd": {"local_steps": 2}}),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in ("ring", "server") else pytest.mark.rare) for name in STRATEGIES],
)
def test_every_strategy_passes_the_step_over(
    alone: tuple[TrainJob, Trained], tmp_path: Path, name: str
) -> None:
    ranks, section = STRATEGIES[name]
    job = make_job(tmp_path, strategy=section)
    trained = launch_local(
        take_part,
        ranks + job.config.strategy.chosen.num_servers,
        args=(job,),
        options=LaunchOptions(say=lambda line: None),
    )[0]
    assert (trained.totals.step, trained.totals.sequences, trained.totals.lost) == (4, 2 * NUM_TRAIN, 0)
    lines, exact = lines_of(job), lines_of(alone[0])
    if name != "async":
        assert [line["loss"] is None for line in lines] == [line["loss"] is None for line in exact]
    if name in ("ring", "ddp", "sharded", "server"):
        assert lines[2]["loss"] == pytest.approx(exact[2]["loss"], rel=1e-4)
        assert trained.totals.validation_loss == pytest.approx(alone[1].totals.validation_loss, rel=1e-4)


def test_a_validation_set_without_a_target_steers_nothing(tmp_path: Path) -> None:
    job = make_job(tmp_path, (1, 1), steps=8, patience=1, plateau={"patience": 1}, export="best")
    trained = train_rank(job)
    assert (trained.totals.step, trained.stopped_early, trained.best_step) == (8, False, 0)
    assert math.isnan(trained.totals.validation_loss)
    assert not any("validation_loss" in line or "decisions" in line for line in lines_of(job))
    card = (Path(job.model_dir) / "README.md").read_text().replace("\\", "")
    assert "| best validation loss (nats) | none |" in card
    assert "| weights of step | 8 |" in card
    assert job.validation
    score = evaluate_rank(EvaluateJob(job.model_dir, job.validation, VOCAB_SIZE, batch_size=4))
    assert (score.num_sequences, score.num_targets, score.num_bytes) == (1, 0, 0)
    assert score.loss is None
    assert score.bits_per_byte is None


def test_never_to_validate_needs_no_validation_set(tmp_path: Path) -> None:
    job = replace(make_job(tmp_path, validate_every=0), validation=None)
    trained = train_rank(job)
    assert (trained.totals.step, trained.best_step) == (4, 0)
    assert not any("validation_loss" in line for line in lines_of(job))


def test_no_checkpoint_on_the_way_leaves_the_one_at_the_end(tmp_path: Path) -> None:
    job = make_job(tmp_path, validate_every=0, checkpoint_every=0, log_every=0)
    train_rank(job)
    names = [name for name in Folder(job.checkpoint_dir).names() if name.startswith("step-")]
    assert names == ["step-000000004"]
    assert train_rank(job).resumed_from == 4


def test_targets_that_stand_for_no_text_have_a_loss_and_no_bits_per_byte() -> None:
    score = Score(nats=6.0, num_targets=3, num_bytes=0, num_sequences=3)
    assert (score.loss, score.bits_per_byte) == (2.0, None)


def test_the_drivers_lines_have_a_word_for_it() -> None:
    assert [loss_text(loss) for loss in (None, math.nan, 1.23456)] == ["none", "none", "1.2346"]
    said: list[str] = []
    event = {"type": "step", "step": 2, "steps": 4, "epoch": 0, "loss": None, "lr": 1e-3}
    speed = {"tokens_per_second": 1.0, "data_wait_share": 0.0, "eta_seconds": 1.0}
    take: Callable[[int, dict[str, Any]], None] = Progress(said.append)
    take(0, event | speed)
    assert said[0].startswith("train: step 2/4 (epoch 0)  loss none  lr ")
