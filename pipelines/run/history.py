"""The history of deduplication: a folder like a lake, with the table `signatures` of all batches so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from pipelines.dedup.stage import History
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, read_table, write_table
from pipelines.run.context import Context
from schemas import SIGNATURES
from training.storage import File


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


def history_log(context: Context) -> list[File]:
    """What shows that the history is there: a batch that a history has lost is deduplicated again."""
    place = context.config.dedup.history
    return [] if place is None else [Lake.at(place).tables.child(SIGNATURES.name).file("_delta_log")]


@contextmanager
def open_history(context: Context) -> Iterator[OpenHistory | None]:
    """The history that the configuration names, locked while the context lasts; None if it names none."""
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
        yield OpenHistory(place, History(rows, config.batch or context.lake.location))
