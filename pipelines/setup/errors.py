"""Errors of set-up, each with the exit code the command ends with."""

from __future__ import annotations


class SetupError(Exception):
    """Set-up could not finish; the message names what failed and what to do.

    Attributes:
        exit_code: What `python3 -m pipelines.setup` and `ringlake setup` exit with.
    """

    exit_code = 1


class MissingToolsError(SetupError):
    """The machine lacks something that set-up needs; one line of the message per missing thing."""

    exit_code = 4


class CacheError(SetupError):
    """The cache directory cannot be read or written."""


class CommandError(SetupError):
    """A program that set-up runs ended with a failure; the message has its last lines."""


class MissingJarsError(SetupError, FileNotFoundError):
    """Delta's jars are not in the cache, or one of them is damaged."""
