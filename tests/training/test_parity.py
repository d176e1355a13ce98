"""Any number of ranks computes the same training, through the real launch with real Horovod."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.parity import RANKS
from tests.training.tiny import NUM_TRAIN, NUM_VALIDATION, make_job
from training.loop import train_rank
from training.metrics import combine_hashes, hash_ids, read_metrics
from training.storage import Folder

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
    return {int(ranks): result for ranks, result in json.loads((folder / "results.json").read_text()).items()}


def curve(folder: Path, num_ranks: int, name: str) -> list[Any]:
    return [line[name] for line in read_metrics(Folder(str(folder / str(num_ranks) / "checkpoints")))]


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
