"""Clean: its lists and its language model are read besides the documents."""

from __future__ import annotations

from pipelines.clean.language import model_hash
from pipelines.clean.resources import lists_fingerprint
from pipelines.clean.stage import clean
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.keys import digest


def _lists(context: Context) -> Besides[None]:
    return Besides(None, digest(lists_fingerprint(context.config.clean), model_hash()))


def _clean(given: Given[None]) -> Made:
    return Made.of(clean(given.frame("documents"), given.config.clean))


BINDING = Binding(_clean, _lists)
