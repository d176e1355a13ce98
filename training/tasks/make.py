"""The task of a training, from its configuration and from what its sequences say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conf.train import TrainConfig
from ringlake.base.extensions import ExtensionError
from ringlake.base.tasks import kind_of, part_of
from training.models.tokens import TokenizerFile
from training.tasks.basis import TaskBasis
from training.tasks.task import Task


def make_task(
    name: str,
    config: TrainConfig,
    facts: Mapping[str, Any],
    tokenizer: TokenizerFile,
    target_tokenizer: TokenizerFile | None = None,
) -> Task:
    """The task that a run file names.

    Args:
        name: `task.name`.
        config: The section `train`.
        facts: What tokenizing noted of the examples, see `Snapshot.task`; empty for a language model.
        tokenizer: Tokenizer of the sequences.
        target_tokenizer: That of their targets; None: the same.

    Raises:
        DataError: The tokenizer names no token that ends a text.
        ExtensionError: That of another package is not there, or cannot be used.
    """
    make = part_of(kind_of(name), "training", Callable)
    task = make(TaskBasis(name, config, facts, tokenizer, target_tokenizer))
    if not isinstance(task, Task):
        told = f"is of type {type(task).__name__}, not Task"
    elif task.name != name:
        told = f"calls itself {task.name!r}; both names must be one"
    else:
        return task
    raise ExtensionError(f"what the task {name!r} trains with {told}; correct it in its package")
