"""A checkpoint of another release ends in an error that names both, whatever that release writes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load, save

from ringlake.base.storage import Folder
from tests.training.tiny import make_config, make_job
from training.checkpoints.identity import check_newest
from training.errors import DataError
from training.job import TrainJob
from training.loop import train_rank
from training.version import training_code

OTHER = "0.0.1+src.0123456789ab"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    found = make_job(tmp_path_factory.mktemp("release"), make_config(steps=2, keep_checkpoints=1))
    train_rank(found)
    return found


def rewrite(place: Path, name: str, content: bytes, *, listed_as: str | None = None) -> None:
    """Changes a file of a checkpoint and its entry of the manifest, as a release that writes so would."""
    (place / name).unlink()
    (place / (listed_as or name)).write_bytes(content)
    manifest = json.loads((place / "manifest.json").read_text())
    manifest.pop(name)
    said = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (place / "manifest.json").write_text(json.dumps(manifest | {listed_as or name: said}))


def change(place: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    state = json.loads((place / "state.json").read_text())
    state["made_by"] = OTHER
    edit(state)
    rewrite(place, "state.json", json.dumps(state).encode())


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a number more": lambda state: state["totals"].update(bytes=1),
    "a number less": lambda state: state["totals"].pop("sequences"),
    "a part less": lambda state: state.pop("loss_scale"),
    "a part that is no object": lambda state: state.update(steering=[1, 2]),
    "another type": lambda state: state["totals"].update(step="two"),
    "a truth value for a number": lambda state: state["totals"].update(tokens=True),
    "another step": lambda state: state["totals"].update(step=7),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_state_of_another_release_is_refused_with_both(kind: str, job: TrainJob, tmp_path: Path) -> None:
    place = copied(job, tmp_path)
    change(place, CHANGES[kind])
    refused(job, tmp_path)


def test_other_files_and_other_tensors_are_refused_with_both(job: TrainJob, tmp_path: Path) -> None:
    place = copied(job, tmp_path / "files")
    change(place, lambda _state: None)
    rewrite(place, "optimizer.safetensors", b"of a later time", listed_as="optimizer-1-of-1.safetensors")
    refused(job, tmp_path / "files")

    place = copied(job, tmp_path / "tensors")
    change(place, lambda _state: None)
    tensors = load((place / "model.safetensors").read_bytes())
    name = sorted(tensors)[0]
    tensors[f"renamed.{name}"] = tensors.pop(name)
    rewrite(place, "model.safetensors", save(tensors))
    refused(job, tmp_path / "tensors")


def test_a_state_that_says_no_release_is_refused_too(job: TrainJob, tmp_path: Path) -> None:
    place = copied(job, tmp_path)
    change(place, lambda state: (state.pop("made_by"), state.pop("loss_scale")))
    with pytest.raises(DataError, match=r"a release of ringlake that does not say"):
        train_rank(at(job, tmp_path))


def test_other_code_is_refused_before_ranks_start(job: TrainJob, tmp_path: Path) -> None:
    place = copied(job, tmp_path)
    change(place, lambda state: state["identity"].update(code=OTHER))
    with pytest.raises(DataError, match=rf"by ringlake {OTHER.replace('+', '.')}, and this is ringlake "):
        check_newest(Folder(str(tmp_path)), job.identity())


def copied(job: TrainJob, folder: Path) -> Path:
    shutil.copytree(job.checkpoint_dir, folder, dirs_exist_ok=True)
    return folder / "step-000000002"


def at(job: TrainJob, folder: Path) -> TrainJob:
    return replace(job, checkpoint_dir=str(folder), model_dir=str(folder / "model"))


def refused(job: TrainJob, folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        train_rank(at(job, folder))
    assert OTHER in str(caught.value)
    assert training_code() in str(caught.value)
    assert "delete" in str(caught.value)
    # Nothing of it is lost.
    assert (folder / "step-000000002" / "state.json").is_file()
