"""Carries a stage out: names and shows its jobs, writes its tables, counts their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.added import every_table
from pipelines.console.progress import SparkProgress
from pipelines.errors import RinglakeError
from pipelines.lake import read_sql, write_table
from pipelines.run.accounting import Tally
from pipelines.run.binding import Finished, Given, Made, Written, binding_of
from pipelines.stage_output import keep_on_disk, release
from pipelines.stages import Accounts, Count


@dataclass(frozen=True)
class Outcome:
    """What a stage did: versions written, rows accounted for, what it measured besides."""

    outputs: Mapping[str, int]
    tally: Tally
    details: Mapping[str, Any] = field(default_factory=dict)
    refusal: RinglakeError | None = None


def carry_out(given: Given[Any]) -> Outcome:
    """Does the work of a stage and gives its accounts; what it holds is let go whatever happens."""
    run = binding_of(given.stage).run
    with given.release():
        if not given.stage.writes:
            made = run(given)
            assert made.tally is not None, f"{given.stage.name} has neither tables nor a tally"
            return Outcome({}, made.tally, made.details)
        for table in given.tables.values():
            given.context.must_have_rows(table)
        with _watched(given):
            return _written(given, run(given))


def _written(given: Given[Any], made: Made) -> Outcome:
    """The outcome of a stage whose tables are made."""
    while True:
        try:
            versions = write(given, made)
            break
        except Exception as error:
            if made.instead is None:
                raise
            made = made.instead(error)
    rows = {name: given.context.catalog.info(name, version).rows for name, version in versions.items()}
    accounts = given.stage.accounts
    tally = None if accounts is None else count(given, accounts, versions, rows)
    done = Finished() if made.finish is None else made.finish(Written(versions, rows, tally))
    tally = done.tally or tally
    assert tally is not None, f"nothing says how the rows of {given.stage.name} add up"
    return Outcome(versions, tally, {**made.details, **done.details}, done.refusal)


def write(given: Given[Any], made: Made) -> dict[str, int]:
    """Writes each table in one commit, then does what is to be done after; returns the new versions.

    What several tables derive from is persisted on disk meanwhile, so that it is computed once.
    """
    noted = given.provenance.noted(made.noted)
    keep_on_disk(*made.shared)
    try:
        versions, lake, known = {}, given.context.lake, every_table()
        for name, frame in made.tables.items():
            given.spark.sparkContext.setJobDescription(f"{given.stage.name}: write {name}")
            versions[name] = write_table(given.spark, lake, known[name], frame, noted, made.settings)
        given.spark.sparkContext.setJobDescription(f"{given.stage.name}: count what was written")
        if made.after is not None:
            made.after()
        return versions
    finally:
        release(*made.shared)


def count(
    given: Given[Any], accounts: Accounts, versions: Mapping[str, int], rows: Mapping[str, int]
) -> Tally:
    """The rows of a stage as its declaration says to count them.

    Args:
        given: What it was given.
        accounts: What counts as what.
        versions: Version of each table that it wrote.
        rows: Their rows.
    """

    def of(wanted: Count | None) -> int:
        if wanted is None:
            return 0
        version = versions.get(wanted.table)
        if version is None:
            # A table that this configuration leaves out has nothing of this run.
            return given.tables[wanted.table].rows if wanted.table in given.tables else 0
        if not (wanted.column or wanted.where):
            return rows[wanted.table]
        return _sum(given, wanted, version)

    return Tally(
        rows_in=given.source.rows if accounts.into is None else of(accounts.into),
        rows_out=of(accounts.out),
        rows_rejected=of(accounts.rejected),
        rows_quarantined=of(accounts.quarantined),
        rows_duplicate=of(accounts.duplicate),
        unit=accounts.unit,
    )


def _sum(given: Given[Any], wanted: Count, version: int) -> int:
    what = f"sum({wanted.column})" if wanted.column else "count(*)"
    where = f" WHERE {wanted.where}" if wanted.where else ""
    # All parts are of a declaration.
    sql = f"SELECT {what} AS total FROM {wanted.table}{where}"  # noqa: S608
    (row,) = read_sql(given.context.lake, sql, {wanted.table: version})
    return int(row["total"] or 0)


@contextmanager
def _watched(given: Given[Any]) -> Iterator[None]:
    """Names the Spark jobs of a stage in the UI and shows how far they are."""
    spark, stage = given.spark, given.stage
    spark.sparkContext.setJobGroup(stage.name, f"{stage.name}: {stage.purpose}")
    with SparkProgress(spark, stage.name, given.context.console):
        yield
