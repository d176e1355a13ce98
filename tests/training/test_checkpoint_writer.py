"""Checkpoints written in the background: kill -9 leaves a whole one, errors surface, the best one stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from ringlake.base.storage import Folder
from training.checkpoints import writer as checkpoint_writer
from training.checkpoints.checkpoint import Checkpoint, load_latest, load_step, save_checkpoint
from training.checkpoints.writer import CheckpointWriter
from training.errors import DataError, TrainingError


def make(step: int, best_step: int = 0) -> Checkpoint:
    tensors = {"w": torch.full((50, 50), float(step))}
    return Checkpoint(step, tensors, tensors, {"identity": {}, "best_step": best_step})


WRITER = """
import sys, torch
from training.checkpoints.checkpoint import Checkpoint
from training.checkpoints.writer import CheckpointWriter
from ringlake.base.storage import Folder
with CheckpointWriter(Folder(sys.argv[1]), keep=2) as writer:
    for step in range(1, 1_000_000):
        tensors = {"w": torch.full((200, 200), float(step))}
        writer.save(Checkpoint(step, tensors, tensors, {"identity": {}}))
        print(step, flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_at_a_random_moment_leaves_the_previous_one(tmp_path: Path, seed: int) -> None:
    """When `save` returns for a step, the step before is on the disk, whatever happens then."""
    folder = Folder(str(tmp_path / "checkpoints"))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, folder.location], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    chance = random.Random(seed)
    until = chance.randint(2, 12)
    reached = 0
    for line in writer.stdout:
        reached = int(line)
        if reached >= until:
            # Somewhere within the writing of a checkpoint, which takes some milliseconds.
            threading.Event().wait(chance.uniform(0, 0.02))
            os.kill(writer.pid, signal.SIGKILL)
            break
    writer.wait()
    writer.stdout.close()
    lines: list[str] = []
    found = load_latest(folder, {}, lines.append)
    assert found is not None
    assert found.step >= reached - 1
    assert torch.equal(found.model["w"], torch.full((200, 200), float(found.step)))
    assert lines == []


def test_an_error_of_the_writer_surfaces_at_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of the folder")
    writer = CheckpointWriter(Folder(str(tmp_path / "file")), keep=2)
    writer.save(make(2))
    deadline = time.monotonic() + 60
    with pytest.raises(TrainingError, match=r"the checkpoint of step 2 could not be written to .*Error"):
        while time.monotonic() < deadline:
            writer.check()
    # Said once.
    writer.finish()


def test_leaving_waits_for_the_last_one_and_only_one_is_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    gate, active, most = threading.Event(), [0], [0]
    lock = threading.Lock()

    def slowly(place: Folder, checkpoint: Checkpoint, keep: int) -> None:
        with lock:
            active[0] += 1
            most[0] = max(most[0], active[0])
        gate.wait(60)
        save_checkpoint(place, checkpoint, keep)
        with lock:
            active[0] -= 1

    monkeypatch.setattr(checkpoint_writer, "save_checkpoint", slowly)
    with CheckpointWriter(folder, keep=3) as writer:
        writer.save(make(1))
        # Training goes on: the call came back although nothing is written yet.
        assert "step-000000001" not in folder.names()
        gate.set()
        writer.save(make(2))
        writer.save(make(3))
    assert [name for name in folder.names() if name.startswith("step-")] == [
        f"step-00000000{step}" for step in (1, 2, 3)
    ]
    assert most == [1]


def test_an_error_while_leaving_does_not_hide_the_trainings_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(KeyError, match="own") as caught,
        CheckpointWriter(Folder(str(tmp_path / "file")), 1) as writer,
    ):
        writer.save(make(7))
        raise KeyError("own")
    assert any("checkpoint of step 7 could not be written" in note for note in caught.value.__notes__)


def test_the_best_one_stays_beside_the_newest(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    with CheckpointWriter(folder, keep=2) as writer:
        for step, best in ((10, 10), (20, 20), (30, 20), (40, 20), (50, 50)):
            writer.save(make(step, best))
    # 40, which a resume takes if 50 is damaged, knows 20 as the best.
    assert folder.names() == ["step-000000020", "step-000000040", "step-000000050"]
    with CheckpointWriter(folder, keep=2) as writer:
        writer.save(make(60, 50))
        writer.save(make(70, 50))
    assert folder.names() == ["step-000000050", "step-000000060", "step-000000070"]


def test_another_file_system_holds_them_as_well() -> None:
    folder = Folder("memory://checkpoint-writer/run")
    with CheckpointWriter(folder, keep=2) as writer:
        for step in (1, 2, 3):
            writer.save(make(step, best_step=1))
    assert folder.names() == [f"step-00000000{step}" for step in (1, 2, 3)]
    found = load_latest(folder, {}, print)
    assert found is not None
    assert (found.step, float(found.model["w"][0, 0])) == (3, 3.0)


def test_a_checkpoint_that_is_asked_for_by_step_must_be_whole(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    with CheckpointWriter(folder, keep=2) as writer:
        writer.save(make(1))
    (tmp_path / "step-000000001" / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match=r"step-000000001 cannot be read: model.safetensors has 0 bytes"):
        load_step(folder, 1)
    with pytest.raises(DataError, match=r"step-000000002 cannot be read"):
        load_step(folder, 2)
