"""What the sequences of a task say of it, as tokenizing noted with their commit; asked without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf.task import LANGUAGE_MODEL, TaskConfig
from training.errors import DataError


def check_task(config: TaskConfig, facts: Mapping[str, Any], where: str) -> None:
    """DataError unless sequences were made for the task of a run file.

    Args:
        config: The section `task`.
        facts: What tokenizing noted of the sequences.
        where: What they are, for the message.
    """
    found = facts.get("name", LANGUAGE_MODEL)
    if found != config.name:
        raise DataError(
            f"{where} were made for the task {found!r}, but task.name = {config.name!r}; tokenize and pack "
            f"again with this run file"
        )
