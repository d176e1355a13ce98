"""Dedup: holds its history, if it has one, until the batch is in both the lake and the history."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pipelines.bindings.evaluation_sets import evaluation_sets, without_evaluation_texts
from pipelines.bindings.history import history_identity, open_history
from pipelines.bindings.versions import note_unread
from pipelines.dedup.stage import dedup
from pipelines.lake.erasures import succeeded_survivors
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.keys import digest
from schemas.signatures import SIGNATURES
from schemas.superseded import SUPERSEDED
from schemas.withdrawn import WITHDRAWN


def _dedup(given: Given[None]) -> Made:
    source = given.source.name
    documents = given.frame(source)
    if source == "clean":
        note_unread(given, "trimmed", "clean", "repeats.unit")
    withdrawn = given.frame(WITHDRAWN.name) if WITHDRAWN.name in given.tables else None
    history = given.hold(open_history(given.context, withdrawn))
    output = dedup(documents, given.config.dedup, given.say, history.rows if history else None)
    output = without_evaluation_texts(given, output, documents)
    tables = dict(output.tables)
    signatures = tables.pop(SIGNATURES.name, None)
    if history is None and given.context.catalog.exists(SUPERSEDED.name):
        # What an earlier run with a history left says nothing of this corpus.
        tables[SUPERSEDED.name] = given.spark.createDataFrame([], SUPERSEDED.spark_schema())
    after = None
    if history is not None and signatures is not None:
        noted = given.provenance.noted({})
        after = partial(history.append, signatures, output.details["batch_number"], noted)
    return Made.of(replace(output, tables=tables), after=after)


def _besides(context: Context) -> Besides[None]:
    """The evaluation sets; and survivors that were forgotten, whose places others are to take."""
    found = evaluation_sets(context)
    succeeded = succeeded_survivors(context.lake)
    return replace(found, fingerprint=digest(found.fingerprint, succeeded)) if succeeded else found


BINDING = Binding(_dedup, _besides, history_identity)
