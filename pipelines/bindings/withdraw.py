"""Withdraw: what a daily batch takes out of the history, and what it compares anew for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.bindings.history import open_history
from pipelines.dedup import history as past
from pipelines.lake import Catalog, Lake, read_table
from pipelines.run.accounting import Tally
from pipelines.run.binding import Besides, Binding, Finished, Given, Made, Written
from pipelines.run.context import Context
from pipelines.run.keys import digest
from pipelines.stages import BY_NAME, Stage
from schemas.clean import CLEAN
from schemas.incoming import INCOMING
from schemas.signatures import SIGNATURES
from schemas.withdrawn import WITHDRAWN


def withdraw_stage(lake: Lake, number: int, away: Sequence[str]) -> Stage:
    """The stage of one batch.

    Args:
        lake: The lake that the batch is to be added to.
        number: Number of the batch: what the lake has is what the batches before it made.
        away: Sources whose documents go.
    """

    def look(context: Context) -> Besides[None]:
        own = context.catalog.info(CLEAN.name) if context.catalog.exists(CLEAN.name) else None
        version = None if own is None else own.version
        return Besides(None, digest(lake.location, number, list(away), version))

    def run(given: Given[None]) -> Made:
        return _withdraw(given, lake, away)

    return Stage(
        name="withdraw",
        after="clean",
        summary="What replaced and deleted files leave.",
        purpose="take back what replaced and deleted files had",
        sections=("dedup",),
        writes=(WITHDRAWN.name, INCOMING.name),
        binding=Binding(run, look),
        code=("pipelines.dedup.history",),
    )


def dedup_again() -> Stage:
    """`dedup` on what a batch that withdraws documents compares."""
    return replace(
        BY_NAME["dedup"],
        reads=(INCOMING.name, WITHDRAWN.name),
        reads_with=None,
        may_read=(),
    )


def withdraw_alone(context: Context) -> None:
    """Takes documents out of the history for a batch that has none to compare."""
    withdrawn = read_table(context.spark, context.lake, WITHDRAWN.name)
    nothing = context.spark.createDataFrame([], CLEAN.spark_schema())
    config = context.config.dedup
    with open_history(context, withdrawn) as history:
        assert history is not None
        documents = nothing.select("doc_id", F.unhex("text").alias("content"))
        batch = past.place(history.rows.rows, documents, history.rows.batch, config, withdrawn)
        if not batch.is_stored:
            rows = past.withdrawing(withdrawn, batch, config)
            history.append(rows, batch.sequence, {"stage": "withdraw", "batch": batch.name})


def forget_attempt(context: Context) -> None:
    """Takes out of the history what an attempt at a batch left that has nothing to compare now."""
    with open_history(context) as history:
        assert history is not None
        catalog = Catalog(history.place)
        if not catalog.exists(SIGNATURES.name):
            return
        own = history.rows.rows.where(F.col("batch") == history.rows.batch).select("sequence").first()
        if own is not None:
            none = context.spark.createDataFrame([], SIGNATURES.spark_schema())
            history.append(none, int(own[0]), {"stage": "withdraw", "batch": history.rows.batch})


def _withdraw(given: Given[None], lake: Lake, away: Sequence[str]) -> Made:
    context, spark, config = given.context, given.spark, given.config.dedup
    assert config.history is not None and config.batch is not None
    history = Lake.at(config.history)
    if Catalog(history).exists(SIGNATURES.name):
        rows = past.before(read_table(spark, history, SIGNATURES.name), config.batch)
    else:
        rows = spark.createDataFrame([], SIGNATURES.spark_schema())
    sources = spark.createDataFrame([(source,) for source in away], "source string")
    withdrawn = past.withdrawals(rows, sources, config.max_rounds, given.say)
    reopened = withdrawn.where("is_reopened").select("doc_id")
    own = _own(context)
    incoming = own
    if Catalog(lake).exists(CLEAN.name):
        # What the lake has of them is what the batches before this one made.
        again = read_table(spark, lake, CLEAN.name).join(reopened, "doc_id", "left_semi")
        incoming = own.unionByName(again.select(*own.columns))
    num_own = context.catalog.rows(CLEAN.name)

    def finish(written: Written) -> Finished:
        version = written.versions[WITHDRAWN.name]
        stays = read_table(spark, context.lake, WITHDRAWN.name, version).where("is_reopened").count()
        return Finished(
            details={"withdrawn": written.rows[WITHDRAWN.name] - stays, "reopened": stays},
            tally=Tally(rows_in=num_own + stays, rows_out=written.rows[INCOMING.name]),
        )

    return Made(
        tables={WITHDRAWN.name: withdrawn, INCOMING.name: incoming}, shared=(withdrawn,), finish=finish
    )


def _own(context: Context) -> DataFrame:
    """What the batch itself has cleaned."""
    if context.catalog.exists(CLEAN.name):
        return read_table(context.spark, context.lake, CLEAN.name).select(*CLEAN.column_names)
    return context.spark.createDataFrame([], CLEAN.spark_schema())
