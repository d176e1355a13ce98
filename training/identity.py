"""What a checkpoint belongs to, and the refusal of one that belongs to something else. Needs no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from training.errors import DataError
from training.storage import Folder

STATE_FILE = "state.json"

MAX_JSON_BYTES = 16 << 20
"""Largest manifest or state that is read."""

_NAME = re.compile(r"step-(\d{9})")


def checkpoint_steps(folder: Folder) -> list[int]:
    """Steps of the checkpoints in a folder, whole or not, in ascending order."""
    return sorted(int(match[1]) for name in folder.names() if (match := _NAME.fullmatch(name)))


def checkpoint_place(folder: Folder, step: int) -> Folder:
    """Where the checkpoint of a step lies."""
    return folder.child(f"step-{step:09d}")


def read_limited(place: Folder, name: str) -> bytes:
    """A JSON file of a checkpoint; ValueError if it is larger than `MAX_JSON_BYTES`."""
    size = place.size(name)
    if size > MAX_JSON_BYTES:
        raise ValueError(f"{name} has {size} bytes, more than {MAX_JSON_BYTES}")
    return place.read(name)


def newest_state(folder: Folder) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest checkpoint whose state can be read; None if there is none."""
    for step in reversed(checkpoint_steps(folder)):
        try:
            state = json.loads(read_limited(checkpoint_place(folder, step), STATE_FILE))
        except (OSError, ValueError):
            continue
        if isinstance(state, dict) and isinstance(state.get("identity"), dict):
            return step, state
    return None


def check_newest(folder: Folder, identity: Mapping[str, Any]) -> None:
    """DataError if the newest checkpoint belongs to another training; for the driver, before ranks start."""
    found = newest_state(folder)
    if found is not None:
        check_identity(checkpoint_place(folder, found[0]), found[1]["identity"], identity)


def check_identity(place: Folder, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """DataError unless a checkpoint's identity is the wanted one; it names every difference.

    Args:
        place: The checkpoint.
        found: What it belongs to.
        wanted: What the training is.
    """
    plain = json.loads(json.dumps(dict(wanted)))
    names = sorted({*found, *plain})
    different = [name for name in names if found.get(name) != plain.get(name)]
    if different:
        details = "; ".join(
            f"{name}: {found.get(name)!r} there, {plain.get(name)!r} here" for name in different
        )
        raise DataError(
            f"checkpoint {place.location} belongs to another training ({details}); "
            f"use another checkpoint folder, or delete this one to start anew"
        )


def check_interrupted(folder: Folder, wanted: Mapping[str, Any], steps: int) -> None:
    """DataError if a folder holds an interrupted training that differs in the versions of its tables only.

    Starting anew would throw its steps away without a word.

    Args:
        folder: A folder of checkpoints.
        wanted: Identity of the training that is about to start, as far as it is known: settings (keys that
            begin with 'train.' or 'model.'), tables and versions.
        steps: Steps of that training.
    """
    found = newest_state(folder)
    if found is None:
        return
    step, state = found
    plain = json.loads(json.dumps(dict(wanted)))
    known = {name: state["identity"].get(name) for name in plain}
    changed = [name for name in plain if known[name] != plain[name]]
    versions = [name for name in changed if name.rpartition(".")[2] == "version"]
    steering = state.get("steering")
    stopped = isinstance(steering, dict) and bool(steering.get("stopped"))
    if versions and changed == versions and step < steps and not stopped:
        details = "; ".join(
            f"{plain[name.removesuffix('version') + 'table']} was at version {known[name]}, now it is at "
            f"version {plain[name]}"
            for name in versions
        )
        raise DataError(
            f"{folder.location} holds a training that was interrupted at step {step} of {steps}, and its "
            f"sequences have changed since: {details}. It cannot go on with other sequences; delete that "
            f"folder to train anew"
        )
