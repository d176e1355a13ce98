"""What the bundles of a platform are asked for: options of the command, checked as they are made.

A bundle is read by programs that put values into places of their own (`${var.x}`, `{{job.id}}`, `$(VAR)`), so
nothing that a user gives may have such a place in it, a line break, or a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conf.errors import ConfigError
from conf.urls import without_secrets

NAME = r"[A-Za-z][A-Za-z0-9_-]{0,62}"
PLACES = ("${", "{{", "$(", "}}")
"""What opens or closes a place that the platform fills."""

MAX_LENGTH = 2000
_SECRET_WORD = re.compile(
    r"password|passwd|secret|token|credential|(^|[._-])(sas|key|apikey|accesskey)([._-]|$)|access.?key"
    r"|account\.key",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"tokenize|tokens|special_tokens|tokenizer", re.IGNORECASE)


def option(default: Any, help: str, metavar: str = "") -> Any:
    """A field of options: its default, its help text and what stands for its value there."""
    metadata = {"help": help, "metavar": metavar}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the bundles of all platforms are asked for.

    Raises:
        ConfigError: A value is not allowed; the message names the option, the value and the remedy.
    """

    run: str = option("", "Run file of the job; empty: ringlake's default.", "RUN.yaml")
    set: tuple[str, ...] = option((), "Override one key of the configuration; may be repeated.", "KEY=VALUE")
    lake: str = option("", "URL of the lake.", "URL")
    name: str = option("ringlake", "Name of the job.", "NAME")
    workers: int = option(2, "Machines, or executors, that train; 0: all on one machine.", "N")
    gpus: int = option(-1, "GPUs of each; 0: training on CPUs; -1: those of the node type, or 0.", "N")
    cores: int = option(0, "Cores of each; 0: those of the node type, or 4.", "N")
    ranks: int = option(1, "Ranks of each where training is on CPUs; on GPUs it is one a card.", "N")
    retries: int = option(2, "Further attempts after faults that may pass (exit codes 4, 5, 130).", "N")
    secret: tuple[str, ...] = option(
        (), "Environment variable from a secret of the platform; may be repeated.", "NAME=SCOPE/KEY"
    )
    tag: tuple[str, ...] = option((), "Tag or label of all that is made; may be repeated.", "KEY=VALUE")

    def __post_init__(self) -> None:
        matches("--name", self.name, NAME, "a letter, then letters, digits, _ and -, 63 at most", "ringlake")
        within("--workers", self.workers, 0, 1000)
        within("--gpus", self.gpus, -1, 16)
        within("--cores", self.cores, 0, 1024)
        within("--ranks", self.ranks, 1, 64)
        within("--retries", self.retries, 0, 10)
        for text in (self.lake, *self.set, *self.tag, *self.secret):
            plain("an option", text)
        for text in self.set:
            key, _, value = text.partition("=")
            if is_secret(key) and value:
                raise ConfigError(
                    f"--set {key}=... would put a secret into a file; name it by --secret VARIABLE=SCOPE/KEY"
                )


def matches(name: str, value: str, pattern: str, rule: str, example: str) -> None:
    """Raises ConfigError unless a value is of a pattern.

    Args:
        name: The option.
        value: What was given.
        pattern: Regular expression of the whole value.
        rule: The same in words.
        example: A value that is right.
    """
    if not re.fullmatch(pattern, value, re.ASCII):
        raise ConfigError(f"{name} is {shown(value)}, but takes {rule}; for example {name} {example}")


def within(name: str, value: int, low: int, high: int) -> None:
    """Raises ConfigError unless a number is from low to high."""
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}, but takes a number from {low} to {high}")


def plain(name: str, value: str) -> None:
    """Raises ConfigError if a text has a place that a platform fills, a control character or a secret."""
    if len(value) > MAX_LENGTH:
        raise ConfigError(f"{name} has {len(value)} characters, more than {MAX_LENGTH}: shorten it")
    if found := [place for place in PLACES if place in value]:
        raise ConfigError(
            f"{name} is {shown(value)}: {found[0]!r} opens or closes a place that the platform fills; "
            "write the value itself"
        )
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ConfigError(f"{name} is {shown(value)}: it has a control character or a line break; remove it")
    if without_secrets(value) != value:
        raise ConfigError(
            f"{name} is {shown(value)} with a user, a password or a query in its URL, which would stand in a "
            "file; name secrets by --secret VARIABLE=SCOPE/KEY"
        )


def pairs(name: str, values: Sequence[str], key: str, value: str, example: str) -> dict[str, str]:
    """Texts `KEY=VALUE` as a mapping.

    Args:
        name: The option.
        values: What was given.
        key: Regular expression of a key.
        value: Regular expression of a value.
        example: A text that is right.

    Raises:
        ConfigError: One is not of that form, or a key is given twice.
    """
    made: dict[str, str] = {}
    for text in values:
        left, equals, right = text.partition("=")
        if not equals or not re.fullmatch(key, left, re.ASCII) or not re.fullmatch(value, right, re.ASCII):
            raise ConfigError(f"{name} {shown(text)} is not of the form of {name} {example}")
        if left in made:
            raise ConfigError(f"{name} names {left} twice; say it once")
        made[left] = right
    return made


def is_secret(key: str) -> bool:
    """Whether a key sounds like that of a secret."""
    return bool(_SECRET_WORD.search(key)) and not _NOT_SECRET.search(key)


def shown(value: str) -> str:
    """A value for a message: quoted, shorn of secrets, shortened."""
    text = repr(without_secrets(value))
    return text if len(text) <= 120 else f"{text[:117]}..."
