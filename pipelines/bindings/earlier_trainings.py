"""What a lake holds of earlier trainings, and what becomes of it when another one starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.run.context import Context
from training.checkpoints.identity import (
    FoundTraining,
    check_interrupted,
    checkpoint_steps,
    find_training,
    input_keys,
)

_MOST_NAMED = 6
"""Keys that a line names; what differs in more of them is another training altogether."""

_LENGTH = {"train.steps", "train.warmup_steps"}
"""What changes with the length of a training: the default of the warm-up follows from the steps."""


def before_training(context: Context, key: str, wanted: Mapping[str, Any]) -> None:
    """Says what the checkpoints of a lake are where a training that starts does not go on from them.

    Args:
        context: The run; if it is forced, a training that is finished is deleted and done again.
        key: Folder of the training that starts.
        wanted: Its identity, as far as it is known.

    Raises:
        DataError: An interrupted training differs in its tables, its code or the model it starts from only.
    """
    checkpoints = context.lake.checkpoints
    for name in checkpoints.names():
        folder = checkpoints.child(name)
        found = find_training(folder)
        if name == key:
            if context.forced and found is not None and found.is_finished():
                context.console.say(
                    f"    --force: the training in {folder.location} is finished (step {found.step}); it is "
                    f"deleted and done again from step 1"
                )
                folder.remove()
        elif found is not None:
            check_interrupted(folder, wanted, context.config.train.steps)
            if line := _told(found, wanted):
                context.console.say(f"    {folder.location} holds {line}")
        elif checkpoint_steps(folder):
            context.console.say(
                f"    {folder.location} holds checkpoints of another training, none of which is whole; it is "
                f"kept, delete it if nobody needs them"
            )


def after_training(context: Context, key: str) -> None:
    """Deletes the checkpoints of other trainings that are finished; what was interrupted is kept."""
    checkpoints = context.lake.checkpoints
    for name in checkpoints.names():
        folder = checkpoints.child(name)
        if name == key:
            continue
        found = find_training(folder)
        if found.is_finished() if found is not None else not checkpoint_steps(folder):
            folder.remove()


def _told(found: FoundTraining, wanted: Mapping[str, Any]) -> str:
    different = found.differences(wanted)
    named = _named(different)
    if not found.is_finished():
        return (
            f"a training that was interrupted at step {found.step} and differs in {named}; this one starts "
            f"at step 1. That one is kept: the command with its settings goes on with it; delete the folder "
            f"if nobody will"
        )
    if "train.steps" in different and set(different) <= _LENGTH:
        return (
            f"a finished training of {found.steps} steps that differs from this one of "
            f"{wanted['train.steps']} in {named} only; the learning rate and the last validation follow "
            f"train.steps, so this one starts at step 1"
        )
    if input_keys(different) == different:
        return f"a finished training that differs in {named}; this one starts at step 1"
    return ""


def _named(keys: Sequence[str]) -> str:
    if not keys:
        return "the rows of tables of the same version"
    more = len(keys) - _MOST_NAMED
    return ", ".join(keys[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
