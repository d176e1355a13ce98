"""What the sequences of a task say of it, as tokenizing noted with their commit; asked without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ringlake.base.tasks import LANGUAGE_MODEL
from training.errors import DataError

if TYPE_CHECKING:
    from conf.task import TaskConfig

NAME, OPTIONS, SEVERAL, LEARNS_TOKENS = "name", "options", "several", "learns_tokens"
"""Keys of what is noted of every task: its name, its options if there are any, that a document may have
several examples if it may, and whether what is learned are tokens."""

TARGET = "target"
"""Key of the vocabulary of targets that have one of their own."""


@dataclass(frozen=True)
class TargetVocabulary:
    """The tokenizer of the targets of pairs, where it is not that of the texts.

    Attributes:
        tokenizer_hash: SHA-256 of its tokenizer.json.
        vocab_size: Entries.
        eod_id: Id of the token that ends a target.
    """

    tokenizer_hash: str
    vocab_size: int
    eod_id: int

    def noted(self) -> dict[str, Any]:
        """What is noted of it (JSON values), under `TARGET`."""
        return asdict(self)


def target_of(facts: Mapping[str, Any]) -> TargetVocabulary | None:
    """The vocabulary of the targets; None: they have that of the texts, or are no text.

    Args:
        facts: What tokenizing noted of the examples.

    Raises:
        DataError: What is noted is damaged.
    """
    noted = facts.get(TARGET)
    if noted is None:
        return None
    kinds = {"tokenizer_hash": str, "vocab_size": int, "eod_id": int}
    if not isinstance(noted, Mapping) or any(
        not isinstance(noted.get(name), kind) for name, kind in kinds.items()
    ):
        raise DataError(
            f"what the table says of the tokenizer of its targets is damaged ({noted!r:.200}); tokenize and "
            f"pack again with this run file"
        )
    return TargetVocabulary(**{name: noted[name] for name in kinds})


def check_task(config: TaskConfig, facts: Mapping[str, Any], where: str) -> None:
    """DataError unless sequences were made for the task of a run file.

    Args:
        config: The section `task`.
        facts: What tokenizing noted of the sequences.
        where: What they are, for the message.
    """
    if told := other_task(config, facts):
        raise DataError(f"{where} {told}; tokenize and pack again with this run file")


def other_task(config: TaskConfig, facts: Mapping[str, Any]) -> str:
    """How the task that tokens were made for differs from that of a run file; empty: it does not.

    Args:
        config: The section `task`.
        facts: What tokenizing noted of the tokens.
    """
    found = facts.get(NAME, LANGUAGE_MODEL)
    if found != config.name:
        return f"were made for the task {found!r}, but task.name = {config.name!r}"
    options = facts.get(OPTIONS) or {}
    if options != config.noted_options:
        return f"were made with task.options = {options}, but here they are {config.noted_options}"
    return ""
