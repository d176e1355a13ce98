"""`ringlake train` after a finished training: again by force, and anew where its start has changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from pipelines.lake import Lake, Ledger, RunRecord
from tests.conftest import SmallJob
from tests.support.cli import ringlake

STEPS = 6
MARK = "mark-of-the-first-training"

pytestmark = pytest.mark.slow


@pytest.fixture
def lake(small_job: SmallJob, tmp_path: Path) -> Path:
    """A lake with sequences that no training has used yet."""
    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    shutil.rmtree(lake / "checkpoints")
    return lake


def train(lake: Path, small_job: SmallJob, *more: str | Path) -> str:
    """Trains a few steps on one rank; what the command showed."""
    few = ["--set", f"train.steps={STEPS}", "--set", "train.validate_every=6", "--num-ranks", "1"]
    return ringlake("train", "--lake", lake, "--run", small_job.run_file, *few, *more).stderr


def newest(lake: Path) -> RunRecord:
    run = Ledger(Lake.at(lake)).latest("train")
    assert run is not None
    return run


def losses(run: RunRecord) -> list[float]:
    """The loss of each step in the log that a run of the ledger names."""
    lines = [json.loads(line) for line in Path(run.details["metrics"]).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    return [line["loss"] for line in lines]


def test_force_trains_a_finished_training_anew_and_the_ledger_tells_it(
    small_job: SmallJob, lake: Path
) -> None:
    train(lake, small_job)
    first, weights = newest(lake), (lake / "model" / "model.safetensors").stat()
    folder = lake / "checkpoints" / first.details["checkpoint_key"]
    (folder / MARK).touch()
    assert "train: up to date" in train(lake, small_job)
    assert newest(lake).run_id == first.run_id

    told = train(lake, small_job, "--force")
    assert f"is finished (step {STEPS}); it is deleted and done again from step 1" in told
    assert "going on from" not in told
    assert f"step {STEPS}/{STEPS}" in told
    second = newest(lake)
    assert second.run_id != first.run_id
    assert second.run_key == first.run_key
    assert second.started_at > first.started_at
    assert (second.details["resumed_from"], second.details["steps"]) == (0, STEPS)
    assert second.rows_in == second.rows_out == STEPS * 8
    # What is left is the second training's: its folder, its log and its weights.
    assert second.details["checkpoint_key"] == first.details["checkpoint_key"]
    assert not (folder / MARK).exists()
    assert len(losses(second)) == STEPS
    assert (lake / "model" / "model.safetensors").stat().st_mtime_ns > weights.st_mtime_ns
    assert "train: up to date" in train(lake, small_job)


def test_another_base_model_or_other_weights_at_its_path_are_trained_anew(
    small_job: SmallJob, lake: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(small_job.lake / "model", base)

    def starting(place: Path) -> str:
        return train(lake, small_job, "--set", f"model.pretrained={place}")

    starting(base)
    first, begun = newest(lake), losses(newest(lake))
    assert "train: up to date" in starting(base)

    # The same path, other weights in as many bytes.
    weights = load_file(base / "model.safetensors")
    save_file(
        {name: values / 2 for name, values in weights.items()}, base / "model.safetensors", {"format": "pt"}
    )
    told = starting(base)
    assert "differs in model.pretrained.content; this one starts at step 1" in told
    second = newest(lake)
    assert second.run_key != first.run_key
    assert second.details["checkpoint_key"] != first.details["checkpoint_key"]
    assert second.details["resumed_from"] == 0
    assert losses(second)[0] != begun[0]

    # Another path, the weights of before.
    other = tmp_path / "other"
    shutil.copytree(small_job.lake / "model", other)
    starting(other)
    third = newest(lake)
    assert third.run_key not in {first.run_key, second.run_key}
    assert third.details["resumed_from"] == 0
    assert losses(third)[0] == pytest.approx(begun[0], rel=1e-5)


def test_a_model_goes_on_by_adapters_and_what_it_was_before_stands_beside_it(
    small_job: SmallJob, lake: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(small_job.lake / "model", base)
    settings = [f"model.pretrained={base}", "train.lora.rank=2", "train.lora.adapters=true"]
    flags = [word for setting in settings for word in ("--set", setting)]
    train(lake, small_job, *flags)
    ringlake("evaluate", "--lake", lake, "--run", small_job.run_file, *flags)
    was = json.loads((small_job.lake / "evaluation.json").read_text("utf-8"))["model"]
    found = json.loads((lake / "evaluation.json").read_text("utf-8"))
    assert found["before"]["bits_per_byte"] == pytest.approx(was["bits_per_byte"], rel=1e-4)
    assert found["model"]["bits_per_byte"] < found["before"]["bits_per_byte"] + 0.02
    ringlake("report", "--lake", lake, "--run", small_job.run_file)
    assert "before training" in (lake / "report.html").read_text("utf-8")
    # The model is an ordinary one; its adapters lie beside it, and belong to the run like it.
    assert (
        load_file(lake / "model" / "model.safetensors").keys() == load_file(base / "model.safetensors").keys()
    )
    assert (lake / "model-adapters" / "adapter_model.safetensors").is_file()
    assert "train: up to date" in train(lake, small_job, *flags)
    shutil.rmtree(lake / "model-adapters")
    assert "no step is left, the model is written from it" in train(lake, small_job, *flags)
    assert (lake / "model-adapters" / "adapter_model.safetensors").is_file()


def test_adapters_of_a_model_from_scratch_are_refused(small_job: SmallJob, lake: Path) -> None:
    run = ringlake("train", "--lake", lake, "--run", small_job.run_file, "--set", "train.lora.rank=2", code=3)
    assert "train.lora.rank = 2 adapts a model that has learned something" in run.stderr
