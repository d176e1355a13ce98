"""Repeats: `clean` to `trimmed`, `emptied` and `repeats`."""

from __future__ import annotations

from pipelines.repeats.stage import repeats
from pipelines.run.binding import Binding, Given, Made


def _repeats(given: Given[None]) -> Made:
    return Made.of(repeats(given.frame("clean"), given.config.repeats, given.say))


BINDING = Binding.of_tables(_repeats)
