"""Checkpoints that are whole or not there: safetensors and JSON, a manifest of hashes, one atomic rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ringlake.base.hashing import remember_hash
from ringlake.base.storage import Folder
from training.checkpoints.identity import (
    check_identity,
    checkpoint_place,
    checkpoint_steps,
    identity_of,
    refuse_other,
)
from training.checkpoints.manifest import (
    GONE,
    MANIFEST_FILE,
    MAX_JSON_BYTES,
    STATE_FILE,
    check_sizes,
    check_whole,
    is_whole,
    read_limited,
    read_manifest,
)
from training.errors import DataError

_MODEL, _OPTIMIZER = "model.safetensors", "optimizer.safetensors"

TEMPORARY = ".tmp-"
"""What the name of a checkpoint that is being written begins with."""

DAMAGE = (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError)
"""What reading a damaged checkpoint can raise."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        step: Optimizer steps that were done.
        model: Parameters by name, contiguous, in host memory.
        optimizer: Optimizer state by `kind/parameter`, the same.
        state: All else that training goes on from, JSON values; its 'identity' says what it belongs to, its
            'made_by' the code that wrote it, its 'best_step' which checkpoint validated best (0 or absent:
            none).
    """

    step: int
    model: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    state: dict[str, Any]


def save_checkpoint(folder: Folder, checkpoint: Checkpoint, keep: int) -> None:
    """Write a checkpoint, then delete what is neither among the newest `keep` nor the best of one of those.

    A crash at any moment leaves the earlier checkpoints as they were: files go into a temporary folder, are
    flushed to the disk, and one rename makes the folder a checkpoint. Only whole checkpoints count among the
    newest; those that are not go, but none before this one is in its place. What a writer that died has left
    half written goes first: the disk may be full of it.

    Args:
        folder: Folder of the checkpoints; one process writes to it at a time.
        checkpoint: What is written.
        keep: Newest checkpoints that are kept.

    Raises:
        OSError: It could not be written.
    """
    folder.create()
    for name in folder.names():
        if name.startswith(TEMPORARY):
            folder.child(name).remove()
    temporary = folder.child(f"{TEMPORARY}{checkpoint.step:09d}-{os.getpid()}")
    temporary.create()
    manifest = {}
    # One file after the other: only one is in memory a second time.
    files: tuple[tuple[str, Callable[[], bytes]], ...] = (
        (_MODEL, lambda: save_tensors(checkpoint.model)),
        (_OPTIMIZER, lambda: save_tensors(checkpoint.optimizer)),
        (STATE_FILE, lambda: json.dumps(checkpoint.state, indent=1).encode()),
    )
    for name, serialize in files:
        content = serialize()
        temporary.write(name, content)
        manifest[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    temporary.write(MANIFEST_FILE, json.dumps(manifest, indent=1).encode())
    temporary.sync()
    target = checkpoint_place(folder, checkpoint.step)
    # Only a damaged checkpoint, or one of a run that went back to an earlier one, can be in the way.
    target.remove()
    temporary.rename_to(target)
    # Where a rename copies file by file, this one must be there before others go.
    check_sizes(target)
    for name, entry in manifest.items():
        remember_hash(target, name, str(entry["sha256"]))
    _prune(folder, keep, checkpoint.step)


def load_latest(folder: Folder, identity: Mapping[str, Any], say: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint, or None if there is none; a damaged one is passed over and named.

    Args:
        folder: Where the checkpoints are.
        identity: What the training belongs to (tables, plan, tokenizer, model, optimizer).
        say: Takes a line about each checkpoint that is passed over.

    Raises:
        DataError: The checkpoint belongs to something else, or another release wrote it, the message names
            what differs; or none can be read and that may pass.
    """
    steps = checkpoint_steps(folder)
    unreadable: OSError | None = None
    for step in reversed(steps):
        place = checkpoint_place(folder, step)
        try:
            checkpoint = _load(place, step)
        except DAMAGE as error:
            say(f"train: checkpoint {place.location} is damaged and passed over: {_line(error)}")
            if isinstance(error, OSError) and not isinstance(error, GONE):
                unreadable = error
            continue
        check_identity(place, identity_of(checkpoint.state), identity)
        return checkpoint
    if unreadable is not None:
        raise DataError(
            f"no checkpoint in {folder.location} can be read ({_line(unreadable)}); nothing says that they "
            f"are damaged, so training does not start anew: see to the file system and try again, or delete "
            f"that folder"
        ) from unreadable
    if steps:
        say(f"train: no checkpoint in {folder.location} is whole; training starts at step 1")
    return None


def load_step(folder: Folder, step: int) -> Checkpoint:
    """The checkpoint of a step.

    Raises:
        DataError: It is missing or damaged, or another release wrote it.
    """
    place = checkpoint_place(folder, step)
    try:
        return _load(place, step)
    except DAMAGE as error:
        raise DataError(f"checkpoint {place.location} cannot be read: {_line(error)}") from error


def _load(place: Folder, step: int) -> Checkpoint:
    manifest = read_manifest(place)
    contents: dict[str, bytes] = {}
    for name in (STATE_FILE, _MODEL, _OPTIMIZER):
        if name not in manifest:
            check_whole(place)
            raise refuse_other(place, _state(contents[STATE_FILE]), f"it is whole, but has no {name}")
        # Before it is read: what is larger than it was is not taken into memory.
        manifest[name].check(name, place.size(name), manifest[name].sha256)
        content = place.read(name)
        manifest[name].check(name, len(content), hashlib.sha256(content).hexdigest())
        contents[name] = content
    return Checkpoint(
        step=step,
        model=load_tensors(contents[_MODEL]),
        optimizer=load_tensors(contents[_OPTIMIZER]),
        state=_state(contents[STATE_FILE]),
    )


def _state(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(f"{STATE_FILE} is larger than {MAX_JSON_BYTES} bytes")
    state = json.loads(content)
    if not isinstance(state, dict):
        raise ValueError(f"{STATE_FILE} holds no JSON object")
    return state


def _prune(folder: Folder, keep: int, written: int) -> None:
    """Delete all but the newest whole checkpoints, those they name as best, and the one just written.

    A checkpoint that cannot be read just now neither counts nor goes.
    """
    steps = checkpoint_steps(folder)
    kept = {written}
    whole: list[int] = []
    gone: list[int] = []
    for step in reversed(steps):
        place = checkpoint_place(folder, step)
        if len(whole) >= keep:
            gone.append(step)
            continue
        found = is_whole(place)
        if found:
            whole.append(step)
        elif found is False:
            gone.append(step)
    # Whichever of these a resume goes on from, the best checkpoint that it knows of is there.
    for step in {*whole, written}:
        with contextlib.suppress(*DAMAGE, AttributeError):
            kept.add(json.loads(read_limited(checkpoint_place(folder, step), STATE_FILE)).get("best_step"))
    for step in gone:
        if step not in kept:
            checkpoint_place(folder, step).remove()


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
