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

from training.errors import DataError
from training.identity import (
    MAX_JSON_BYTES,
    STATE_FILE,
    check_identity,
    checkpoint_place,
    checkpoint_steps,
    read_limited,
)
from training.storage import Folder

MANIFEST_FILE = "manifest.json"
_TENSOR_FILES = ("model", "optimizer")

DAMAGE = (OSError, ValueError, KeyError, TypeError, SafetensorError)
"""What reading a damaged checkpoint can raise."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        step: Optimizer steps that were done.
        model: Parameters by name, contiguous, in host memory.
        optimizer: Optimizer state by `kind/parameter`, the same.
        state: All else that training goes on from, JSON values; its 'identity' says what it belongs to, its
            'best_step' which checkpoint validated best (0 or absent: none).
    """

    step: int
    model: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    state: dict[str, Any]


def save_checkpoint(folder: Folder, checkpoint: Checkpoint, keep: int) -> None:
    """Write a checkpoint, then delete what is neither among the newest `keep` nor the best of one of those.

    A crash at any moment leaves the earlier checkpoints as they were: files go into a temporary folder, are
    flushed to the disk, and one rename makes the folder a checkpoint.
    """
    folder.create()
    temporary = folder.child(f".tmp-{checkpoint.step:09d}-{os.getpid()}")
    temporary.remove()
    temporary.create()
    manifest = {}
    # One file after the other: only one is in memory a second time.
    for name, serialize in (
        ("model.safetensors", lambda: save_tensors(checkpoint.model)),
        ("optimizer.safetensors", lambda: save_tensors(checkpoint.optimizer)),
        (STATE_FILE, lambda: json.dumps(checkpoint.state, indent=1).encode()),
    ):
        content = serialize()
        temporary.write(name, content)
        manifest[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    temporary.write(MANIFEST_FILE, json.dumps(manifest, indent=1).encode())
    temporary.sync()
    target = checkpoint_place(folder, checkpoint.step)
    # Only a damaged checkpoint, or one of a run that went back to an earlier one, can be in the way.
    target.remove()
    temporary.rename_to(target)
    _prune(folder, keep)


def load_latest(folder: Folder, identity: Mapping[str, Any], say: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint, or None if there is none; a damaged one is passed over and named.

    Args:
        folder: Where the checkpoints are.
        identity: What the training belongs to (tables, plan, tokenizer, model, optimizer).
        say: Takes a line about each checkpoint that is passed over.

    Raises:
        DataError: The checkpoint belongs to something else; the message names what differs.
    """
    for step in reversed(checkpoint_steps(folder)):
        place = checkpoint_place(folder, step)
        try:
            checkpoint = _load(place, step)
        except DAMAGE as error:
            reason = " ".join(str(error).split())
            say(f"train: checkpoint {place.location} is damaged and passed over: {reason}")
            continue
        check_identity(place, checkpoint.state.get("identity", {}), identity)
        return checkpoint
    return None


def load_step(folder: Folder, step: int) -> Checkpoint:
    """The checkpoint of a step.

    Raises:
        DataError: It is missing or damaged.
    """
    place = checkpoint_place(folder, step)
    try:
        return _load(place, step)
    except DAMAGE as error:
        reason = " ".join(str(error).split())
        raise DataError(f"checkpoint {place.location} cannot be read: {reason}") from error


def _load(place: Folder, step: int) -> Checkpoint:
    manifest = json.loads(read_limited(place, MANIFEST_FILE))
    contents = {}
    for name in (*(f"{kind}.safetensors" for kind in _TENSOR_FILES), STATE_FILE):
        wanted = manifest[name]
        size = place.size(name)
        if size != wanted["bytes"]:
            raise ValueError(f"{name} has {size} bytes instead of {wanted['bytes']}")
        content = place.read(name)
        if hashlib.sha256(content).hexdigest() != wanted["sha256"]:
            raise ValueError(f"the SHA-256 of {name} is not the manifest's")
        contents[name] = content
    if len(contents[STATE_FILE]) > MAX_JSON_BYTES:
        raise ValueError(f"{STATE_FILE} is larger than {MAX_JSON_BYTES} bytes")
    return Checkpoint(
        step=step,
        model=load_tensors(contents["model.safetensors"]),
        optimizer=load_tensors(contents["optimizer.safetensors"]),
        state=json.loads(contents[STATE_FILE]),
    )


def _prune(folder: Folder, keep: int) -> None:
    for name in folder.names():
        if name.startswith(".tmp-"):
            folder.child(name).remove()
    steps = checkpoint_steps(folder)
    kept = set(steps[-keep:])
    # Whichever of these a resume goes on from, the best checkpoint that it knows of is there.
    for step in steps[-keep:]:
        with contextlib.suppress(*DAMAGE):
            kept.add(json.loads(read_limited(checkpoint_place(folder, step), STATE_FILE)).get("best_step"))
    for step in steps:
        if step not in kept:
            checkpoint_place(folder, step).remove()
