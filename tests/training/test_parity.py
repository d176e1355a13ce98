"""Any number of ranks computes the same training, through the real launch with real Horovod."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringlake.base.storage import Folder
from tests.training.parity import RANKS, STEERED
from tests.training.tiny import NUM_TRAIN, NUM_VALIDATION, make_config, make_job
from training.logs.metrics import combine_hashes, hash_ids, read_metrics
from training.loop import train_rank

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("parity")
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.parity", str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return place


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[int, Any]:
    tree = json.loads((folder / "results.json").read_text())
    return {int(name): result for name, result in tree.items() if name.isdigit()}


def curve(folder: Path, run: int | str, name: str) -> list[Any]:
    return [line.get(name) for line in read_metrics(Folder(str(folder / str(run) / "checkpoints")))]


@pytest.mark.parametrize("num_ranks", RANKS[1:])
def test_global_batches_are_the_same(folder: Path, num_ranks: int) -> None:
    assert curve(folder, num_ranks, "ids_hash") == curve(folder, 1, "ids_hash")
    assert curve(folder, num_ranks, "tokens") == curve(folder, 1, "tokens")


@pytest.mark.parametrize("num_ranks", RANKS[1:])
def test_loss_curves_are_the_same_within_float_tolerance(folder: Path, num_ranks: int) -> None:
    """Batches are uneven here: the last of each epoch has 3 sequences, one of them padded, for 4 ranks."""
    assert len(curve(folder, 1, "loss")) == 20
    assert curve(folder, num_ranks, "loss") == pytest.approx(curve(folder, 1, "loss"), rel=1e-4)
    assert curve(folder, num_ranks, "grad_norm") == pytest.approx(curve(folder, 1, "grad_norm"), rel=1e-3)


def test_one_launched_rank_is_the_loop_in_this_process(folder: Path, tmp_path: Path) -> None:
    job = make_job(tmp_path)
    train_rank(job)
    here = read_metrics(Folder(job.checkpoint_dir))
    assert [line["loss"] for line in here] == pytest.approx(curve(folder, 1, "loss"), rel=1e-5)
    for line in here:
        ids = np.concatenate(job.plan.batch(line["step"] - 1))
        assert line["ids_hash"] == combine_hashes(hash_ids(ids))


def test_results_account_for_every_sequence(results: dict[int, Any]) -> None:
    for num_ranks, result in results.items():
        facts = result["train"]
        assert facts["num_ranks"] == num_ranks
        assert facts["sequences_used"] == facts["sequences_planned"] == 2 * NUM_TRAIN
        assert facts["epochs"] == 2
        assert 0 <= facts["data_wait_share"] < 1
        assert facts["validation_loss"] == pytest.approx(results[1]["train"]["validation_loss"], rel=1e-4)


def test_scores_do_not_depend_on_the_ranks(results: dict[int, Any]) -> None:
    for result in results.values():
        score = result["score"]
        assert score["num_sequences"] == NUM_VALIDATION
        for name in ("num_targets", "num_bytes"):
            assert score[name] == results[1]["score"][name]
        assert score["bits_per_byte"] == pytest.approx(results[1]["score"]["bits_per_byte"], rel=1e-4)


def test_the_driver_shows_how_far_it_is(results: dict[int, Any]) -> None:
    for result in results.values():
        steps = [line for line in result["lines"] if line.startswith("train: step") and "ETA" in line]
        assert steps[-1].startswith("train: step 20/20 (epoch 1)  loss ")
        assert len(steps) == 20


def test_all_ranks_take_the_same_decisions(folder: Path, tmp_path: Path) -> None:
    """Two ranks as one; ranks that disagreed on stopping would wait for each other for ever."""
    job = make_job(tmp_path, make_config(**STEERED))
    train_rank(job)
    alone = read_metrics(Folder(job.checkpoint_dir))
    for name in ("step", "decisions", "best_step", "loss_scale", "skipped", "ids_hash"):
        assert curve(folder, "steered", name) == [line.get(name) for line in alone], name
    assert curve(folder, "steered", "lr") == pytest.approx([line["lr"] for line in alone])
    assert curve(folder, "steered", "loss") == pytest.approx([line["loss"] for line in alone], rel=5e-3)
    said = [len(decisions or []) for decisions in curve(folder, "steered", "decisions")]
    assert said == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1]
    results = json.loads((folder / "results.json").read_text())["steered"]
    assert results["train"]["stopped_early"]
    assert results["train"]["steps"] == 12
    assert len([line for line in results["lines"] if "train.patience" in line]) == 1


def test_time_in_communication_is_measured(folder: Path) -> None:
    assert all(seconds > 0 for seconds in curve(folder, 2, "communication_seconds"))
    halves = zip(
        curve(folder, 2, "tokens_per_second"), curve(folder, 2, "tokens_per_second_per_rank"), strict=True
    )
    assert all(each == pytest.approx(both / 2) for both, each in halves)
