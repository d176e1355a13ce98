"""A checkpoint is whole or it does not count; it is used only for the training it belongs to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ringlake.base.storage import Folder
from training.checkpoints.checkpoint import Checkpoint, load_latest, save_checkpoint
from training.errors import DataError

IDENTITY = {"version": 3, "train.seed": 1}


def make(step: int) -> Checkpoint:
    return Checkpoint(
        step,
        {"w": torch.full((4, 3), float(step))},
        {"exp_avg/w": torch.arange(step + 1, dtype=torch.float32)},
        {"identity": IDENTITY, "totals": {"step": step}},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    place = Folder(str(tmp_path / "checkpoints"))
    for step in (10, 20, 30):
        save_checkpoint(place, make(step), keep=2)
    return place


def load(folder: Folder, lines: list[str] | None = None) -> Checkpoint | None:
    return load_latest(folder, IDENTITY, (lines if lines is not None else []).append)


def test_the_newest_comes_back_as_it_went_in_and_old_ones_go(folder: Folder) -> None:
    assert folder.names() == ["step-000000020", "step-000000030"]
    found = load(folder)
    assert found is not None
    assert found.step == 30
    assert torch.equal(found.model["w"], make(30).model["w"])
    assert torch.equal(found.optimizer["exp_avg/w"], make(30).optimizer["exp_avg/w"])
    assert found.state == make(30).state


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert load(Folder(str(tmp_path / "nowhere"))) is None


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]
)
@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "empty"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(folder: Folder, name: str, damage: str) -> None:
    path = folder.local_path / "step-000000030" / name
    if damage == "flip":
        flip(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "remove":
        path.unlink()
    else:
        path.write_bytes(b"")
    lines: list[str] = []
    found = load(folder, lines)
    assert found is not None
    assert found.step == 20
    assert len(lines) == 1
    assert "step-000000030" in lines[0]


def test_what_a_crash_left_half_written_is_ignored_and_cleaned_up(folder: Folder) -> None:
    half = folder.local_path / ".tmp-000000040-1"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    found = load(folder)
    assert found is not None
    assert found.step == 30
    save_checkpoint(folder, make(40), keep=1)
    assert folder.names() == ["step-000000040"]


def test_a_damaged_one_of_the_same_step_is_replaced(folder: Folder) -> None:
    flip(folder.local_path / "step-000000030" / "model.safetensors")
    save_checkpoint(folder, make(30), keep=2)
    lines: list[str] = []
    found = load(folder, lines)
    assert found is not None
    assert (found.step, lines) == (30, [])


def test_another_training_is_refused_with_both_values(folder: Folder) -> None:
    with pytest.raises(DataError, match=r"version: 3 there, 4 here.*delete this one"):
        load_latest(folder, {**IDENTITY, "version": 4}, print)
    with pytest.raises(DataError, match=r"plan.block_rows: None there, 256 here"):
        load_latest(folder, {**IDENTITY, "plan.block_rows": 256}, print)


WRITER = """
import sys, torch
from training.checkpoints.checkpoint import Checkpoint, save_checkpoint
from ringlake.base.storage import Folder
print("ready", flush=True)
for step in range(1, 100000):
    tensors = {"w": torch.full((200, 200), float(step))}
    save_checkpoint(Folder(sys.argv[1]), Checkpoint(step, tensors, tensors, {"identity": {}}), keep=2)
    print(step, flush=True)
"""


@pytest.mark.parametrize("saves", [1, 4, 9])
def test_kill_9_while_writing_leaves_a_whole_one(tmp_path: Path, saves: int) -> None:
    folder = Folder(str(tmp_path / "checkpoints"))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, folder.location], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    for line in writer.stdout:
        if line.strip() == str(saves):
            # It goes on to the next one without a pause, so this hits it somewhere in the middle.
            os.kill(writer.pid, signal.SIGKILL)
            break
    writer.wait()
    writer.stdout.close()
    lines: list[str] = []
    found = load_latest(folder, {}, lines.append)
    assert found is not None
    assert found.step >= saves
    assert torch.equal(found.model["w"], torch.full((200, 200), float(found.step)))
    assert lines == []
