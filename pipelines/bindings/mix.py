"""Mix: of the documents that `tokens` and `corpus` both have."""

from __future__ import annotations

from pipelines.bindings.versions import check_made_of
from pipelines.mix.stage import mix
from pipelines.run.binding import Binding, Given, Made


def _mix(given: Given[None]) -> Made:
    check_made_of(given, "tokens", "corpus", "tokenize again: ringlake tokenize")
    return Made.of(mix(given.frame("tokens"), given.frame("corpus"), given.config.mix))


BINDING = Binding.of_tables(_mix)
