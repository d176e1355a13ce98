"""Pruning counts whole checkpoints only: whatever is damaged on the disk, a whole one stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as save_tensors

from ringlake.base.storage import Folder
from training.checkpoints import checkpoint as module
from training.checkpoints.checkpoint import Checkpoint, load_latest, save_checkpoint
from training.errors import DataError


def make(step: int, best_step: int = 0) -> Checkpoint:
    tensors = {"w": torch.full((4, 3), float(step))}
    return Checkpoint(step, tensors, tensors, {"identity": {}, "best_step": best_step})


def steps(folder: Folder) -> list[int]:
    return [int(name.removeprefix("step-")) for name in folder.names()]


def flip(place: Folder) -> None:
    content = bytearray(place.read("model.safetensors"))
    content[-1] ^= 1
    place.write("model.safetensors", bytes(content))


DAMAGE: dict[str, Callable[[Folder], None]] = {
    "a file less": lambda place: place.delete("model.safetensors"),
    "no manifest": lambda place: place.delete("manifest.json"),
    "cut": lambda place: place.write("state.json", b"{"),
    "flipped": flip,
    "nothing listed": lambda place: place.write("manifest.json", b"{}"),
    "manifest of another shape": lambda place: place.write("manifest.json", b'{"state.json": [1]}'),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("store", ["disk", "memory"])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_torn_younger_one_goes_and_the_whole_ones_stay(
    kind: str, store: str, keep: int, tmp_path: Path
) -> None:
    place = str(tmp_path) if store == "disk" else f"memory://prune{tmp_path}"
    folder = Folder(f"{place}/checkpoints")
    for step in (100, 200):
        save_checkpoint(folder, make(step), keep=2)
    DAMAGE[kind](folder.child("step-000000200"))
    found = load_latest(folder, {}, print)
    assert found is not None
    assert found.step == 100
    save_checkpoint(folder, make(150), keep)
    assert steps(folder) == [100, 150][-keep:]
    found = load_latest(folder, {}, print)
    assert found is not None
    assert (found.step, float(found.model["w"][0, 0])) == (150, 150.0)


def test_a_torn_older_one_does_not_count_either(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for step in (10, 20, 30):
        save_checkpoint(folder, make(step), keep=3)
    DAMAGE["flipped"](folder.child("step-000000020"))
    save_checkpoint(folder, make(40), keep=3)
    assert steps(folder) == [10, 30, 40]


def test_a_whole_younger_one_counts_and_the_one_just_written_stays(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    save_checkpoint(folder, make(200), keep=1)
    save_checkpoint(folder, make(150), keep=1)
    assert steps(folder) == [150, 200]


def test_one_that_cannot_be_read_just_now_neither_counts_nor_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that is down for a moment says nothing about a checkpoint."""
    folder = Folder(str(tmp_path))
    for step in (10, 20):
        save_checkpoint(folder, make(step), keep=2)
    original = Folder.size

    def size(self: Folder, name: str) -> int:
        if self.location.endswith("20"):
            raise TimeoutError("the store does not answer")
        return original(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "size", size)
        save_checkpoint(folder, make(15), keep=2)
    assert steps(folder) == [10, 15, 20]
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "size", lambda _self, _name: (_ for _ in ()).throw(TimeoutError("down")))
        # Starting anew would be the worst of all answers.
        with pytest.raises(DataError, match=r"no checkpoint in .* can be read \(down\)"):
            load_latest(folder, {}, print)


def test_what_a_dead_writer_left_goes_before_a_byte_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk there is room only without it."""
    folder = Folder(str(tmp_path))
    save_checkpoint(folder, make(10), keep=1)
    left = tmp_path / ".tmp-000000020-99999999"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    seen: list[bool] = []

    def save(tensors: dict[str, torch.Tensor]) -> bytes:
        seen.append(left.exists())
        return save_tensors(tensors)

    monkeypatch.setattr(module, "save_tensors", save)
    save_checkpoint(folder, make(20), keep=1)
    assert seen == [False, False]
    assert folder.names() == ["step-000000020"]


def test_a_disk_that_is_full_leaves_the_earlier_ones_and_the_next_attempt_finds_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    save_checkpoint(folder, make(10), keep=1)
    original = Folder.write

    def write(self: Folder, name: str, content: bytes) -> None:
        if name == "optimizer.safetensors":
            raise OSError(28, "No space left on device")
        original(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", write)
        with pytest.raises(OSError, match="No space"):
            save_checkpoint(folder, make(20), keep=1)
    assert "step-000000010" in folder.names()
    save_checkpoint(folder, make(20), keep=1)
    assert folder.names() == ["step-000000020"]


def test_only_damaged_ones_are_told_and_training_is_said_to_start_anew(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    save_checkpoint(folder, make(10), keep=1)
    DAMAGE["cut"](folder.child("step-000000010"))
    lines: list[str] = []
    assert load_latest(folder, {}, lines.append) is None
    assert len(lines) == 2
    assert "starts at step 1" in lines[-1]


def test_the_best_of_a_kept_one_stays_beside_torn_ones(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for step, best in ((10, 10), (20, 10), (30, 10), (40, 10)):
        save_checkpoint(folder, make(step, best), keep=2)
    DAMAGE["a file less"](folder.child("step-000000040"))
    save_checkpoint(folder, make(35, 10), keep=2)
    assert steps(folder) == [10, 30, 35]
    assert json.loads(folder.child("step-000000035").read("state.json"))["best_step"] == 10
