"""Clean: lists, the language model and rules of other packages decide its result besides the documents."""

from __future__ import annotations

from pipelines.clean.language import model_hash
from pipelines.clean.plans import resolve_all
from pipelines.clean.resources import lists_fingerprint
from pipelines.clean.stage import clean
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.keys import digest


def _lists(context: Context) -> Besides[None]:
    config = context.config.clean
    fingerprint = digest(lists_fingerprint(config), model_hash())
    return Besides(None, fingerprint, extensions=resolve_all(config).extensions)


def _clean(given: Given[None]) -> Made:
    return Made.of(clean(given.frame("documents"), given.config.clean))


BINDING = Binding(_clean, _lists)
