"""The history of deduplication: a folder like a lake, with the table `signatures` of all batches so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from conf.urls import without_secrets
from pipelines.dedup.stage import History
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, read_sql, read_table, write_table
from pipelines.run.artefacts import GONE
from pipelines.run.context import Context
from pipelines.run.keys import digest
from schemas.signatures import SIGNATURES


@dataclass(frozen=True)
class OpenHistory:
    """A history that this process holds.

    Attributes:
        place: Where it lies.
        rows: What it has, at one version, and the name of this batch.
    """

    place: Lake
    rows: History

    def append(self, signatures: DataFrame, number: int, metadata: Mapping[str, Any]) -> None:
        """Adds a batch in one commit, or replaces the one of that number; so a repetition adds nothing."""
        spark = signatures.sparkSession
        spark.sparkContext.setJobDescription("dedup: add the batch to the history")
        where = f"sequence = {number}"
        write_table(spark, self.place, SIGNATURES.name, signatures, metadata, where=where)


def history_identity(context: Context, details: Mapping[str, Any]) -> dict[str, str]:
    """Which history the batch went into: one that a history has lost, or never had, is deduplicated again.

    A history that was removed and begun anew is another table. One that a copy took the place of is told by
    what it has up to this batch: the digests of its ids and texts and of those of the batches before it, with
    which it was compared. What later batches added, or how the files lie, makes no difference.

    Args:
        context: Names the history.
        details: What the run noted; `batch_number` is the batch's place in the history.
    """
    place = context.config.dedup.history
    if place is None:
        return {}
    catalog = Catalog(Lake.at(place))
    if not catalog.exists(SIGNATURES.name):
        return {"history": GONE}
    number = details.get("batch_number", -1)
    query = (
        f"SELECT DISTINCT sequence, batch, digest, parameters FROM {SIGNATURES.name} "  # noqa: S608 - an int
        f"WHERE sequence BETWEEN 0 AND {int(number)} ORDER BY sequence, batch"
    )
    batches = read_sql(Lake.at(place), query, {SIGNATURES.name: catalog.info(SIGNATURES.name).version})
    return {"history": digest(catalog.table_id(SIGNATURES.name), batches)}


@contextmanager
def open_history(context: Context, withdrawn: DataFrame | None = None) -> Iterator[OpenHistory | None]:
    """The history that the configuration names, locked while the context lasts; None if it names none.

    Args:
        context: Names the history.
        withdrawn: Documents (doc_id, source) that the batch takes out of it.
    """
    config = context.config.dedup
    if config.history is None:
        yield None
        return
    place = Lake.at(config.history)
    if place.location == context.lake.location:
        raise InputError(
            f"dedup.history = {config.history!r} is the lake itself; a history outlives the lakes of its "
            "batches, so give it a folder of its own"
        )
    place.create()
    with place.locked():
        if Catalog(place).exists(SIGNATURES.name):
            rows = read_table(context.spark, place, SIGNATURES.name)
        else:
            rows = context.spark.createDataFrame([], SIGNATURES.spark_schema())
        name = config.batch or without_secrets(context.lake.location)
        yield OpenHistory(place, History(rows, name, withdrawn))
