"""What a checkpoint belongs to, and the refusal of one that belongs to something else. Needs no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ringlake.base.storage import Folder
from training.checkpoints.manifest import STATE_FILE, check_sizes, read_limited, read_manifest
from training.errors import DataError
from training.version import training_code

CODE = "code"
"""Key of an identity: `training_code()` of what trained."""

MADE_BY = "made_by"
"""Key of a checkpoint's state: `training_code()` of what wrote it."""

_NAME = re.compile(r"step-(\d{9})")

_INPUT_KEY = re.compile(rf"(.*\.)?version|{CODE}|model\.\w+\.content")
"""Keys of an identity that no setting changes: what is read, and by which code."""


def checkpoint_steps(folder: Folder) -> list[int]:
    """Steps of the checkpoints in a folder, whole or not, in ascending order."""
    return sorted(int(match[1]) for name in folder.names() if (match := _NAME.fullmatch(name)))


def checkpoint_place(folder: Folder, step: int) -> Folder:
    """Where the checkpoint of a step lies."""
    return folder.child(f"step-{step:09d}")


def identity_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint belongs to, by its state; empty if that does not say."""
    found = state.get("identity")
    return found if isinstance(found, dict) else {}


def refuse_other(place: Folder, state: Mapping[str, Any], reason: str) -> DataError:
    """The error of a checkpoint that is whole, but not as this release reads one; it names both releases."""
    return DataError(
        f"checkpoint {place.location} was written by {_named(state.get(MADE_BY))} and this is ringlake "
        f"{training_code()}, which cannot go on from it: {reason}. Go on with the release that wrote it, or "
        f"delete the folder {place.location.rpartition('/')[0]} to start anew"
    )


@dataclass(frozen=True)
class FoundTraining:
    """A training that a folder of checkpoints holds, as its newest readable checkpoint says.

    Attributes:
        folder: The folder.
        step: Steps that are done.
        state: State of that checkpoint.
    """

    folder: Folder
    step: int
    state: dict[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """What it belongs to."""
        return identity_of(self.state)

    @property
    def steps(self) -> int | None:
        """Steps that it was to have; None if its identity does not say."""
        steps = self.identity.get("train.steps")
        return steps if type(steps) is int else None

    def is_finished(self, steps: int | None = None) -> bool:
        """Whether it has come to its end, or stopped early; one that does not say has not.

        Args:
            steps: Steps that it was to have, where somebody knows better.
        """
        steering = self.state.get("steering")
        stopped = isinstance(steering, dict) and bool(steering.get("stopped"))
        wanted = self.steps if steps is None else steps
        return stopped or (wanted is not None and self.step >= wanted)

    def differences(self, wanted: Mapping[str, Any]) -> list[str]:
        """Keys of an identity, as far as it is known, whose values are others here."""
        plain = json.loads(json.dumps(dict(wanted)))
        return [name for name in plain if self.identity.get(name) != plain[name]]


def find_training(folder: Folder) -> FoundTraining | None:
    """The training in a folder, by the newest checkpoint that has all its files; None if there is none.

    Of these only sizes are looked at, and the state is read: what a rank goes on from is decided there.
    """
    for step in reversed(checkpoint_steps(folder)):
        place = checkpoint_place(folder, step)
        try:
            check_sizes(place)
            content = read_limited(place, STATE_FILE)
            read_manifest(place)[STATE_FILE].check(STATE_FILE, len(content), sha256(content).hexdigest())
            state = json.loads(content)
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(state, dict):
            return FoundTraining(folder, step, state)
    return None


def input_keys(names: Iterable[str]) -> list[str]:
    """Of the keys of an identity those that no setting changes: what is read, and by which code."""
    return [name for name in names if _INPUT_KEY.fullmatch(name)]


def check_newest(folder: Folder, identity: Mapping[str, Any]) -> None:
    """DataError if the newest checkpoint belongs to another training; for the driver, before ranks start."""
    found = find_training(folder)
    if found is not None:
        check_identity(checkpoint_place(folder, found.step), found.identity, identity)


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
    if not different:
        return
    details = "; ".join(
        f"{name}: {found.get(name)!r} there, {plain.get(name)!r} here" for name in different if name != CODE
    )
    if CODE in different:
        by = f"by {_named(found.get(CODE))}, and this is ringlake {plain.get(CODE)}"
        details = f"{by}; {details}" if details else by
    raise DataError(
        f"checkpoint {place.location} belongs to another training ({details}); "
        f"use another checkpoint folder, or delete this one to start anew"
    )


def check_interrupted(folder: Folder, wanted: Mapping[str, Any], steps: int) -> None:
    """DataError if a folder holds an interrupted training that differs only in what no setting changes.

    That is the versions of its tables, the content of the model it starts from, or the code. Starting anew
    would throw its steps away without a word, and going on would mix the two.

    Args:
        folder: A folder of checkpoints.
        wanted: Identity of the training that is about to start, as far as it is known: settings (keys that
            begin with 'train.' or 'model.'), tables, versions and code.
        steps: Steps of that training.
    """
    found = find_training(folder)
    if found is None or found.is_finished(steps):
        return
    changed = found.differences(wanted)
    if not changed or input_keys(changed) != changed:
        return
    details = "; ".join(_describe_change(name, found.identity.get(name), wanted) for name in changed)
    what = " and ".join(
        dict.fromkeys(
            "code" if name == CODE else "model" if "content" in name else "sequences" for name in changed
        )
    )
    raise DataError(
        f"{folder.location} holds a training that was interrupted at step {found.step} of {steps}, and its "
        f"{what} have changed since: {details}. It cannot go on with other {what}; put back what it was made "
        f"with and give the same command, or delete that folder to train anew"
    )


def _describe_change(name: str, found: Any, wanted: Mapping[str, Any]) -> str:
    if name == CODE:
        return f"it was trained by {_named(found)}, and this is ringlake {wanted[name]}"
    if name.endswith("content"):
        key = name.removesuffix(".content")
        return f"{key} = {wanted.get(key)!r} had the content {found}, now it has {wanted[name]}"
    table = wanted[name.removesuffix("version") + "table"]
    return f"{table} was at version {found}, now it is at version {wanted[name]}"


def _named(code: Any) -> str:
    return f"ringlake {code}" if isinstance(code, str) and code else "a release of ringlake that does not say"
