"""Predictions on Spark, in parts that are committed one after another: a run that was killed goes on."""

from __future__ import annotations

import json
import os
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf import RunConfig
from pipelines.console.console import Console
from pipelines.console.progress import SparkProgress
from pipelines.errors import AccountingError, InputError, RinglakeError
from pipelines.lake import Lake, Ledger, RunRecord
from pipelines.lake.predictions import Part, check_target, commit_part, parts_of
from pipelines.predict.request import Request
from pipelines.predict.rows import told
from pipelines.predict.sources import Source, find_source
from pipelines.run.failure import as_ringlake_error
from pipelines.run.keys import digest
from pipelines.run.memory import PeakMemory
from pipelines.run.version import code_version
from pipelines.session import facts_of, jvm_status, open_session
from pipelines.stage_output import keep_on_disk, release
from ringlake.base.storage import folder_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MOST_PARTS = 1000

STAGE = "predict"
"""What the ledger calls a run of any verb: `generate` is a stage of its own there."""

_LEAST_TASK_ROWS = 500

_LOG = Path(tempfile.gettempdir()) / f"ringlake-spark-{os.getpid()}.log"
"""Spark's log of a local run whose output lies in no lake."""


@dataclass(frozen=True)
class _Job:
    """A run of predictions.

    Attributes:
        request: What is asked for.
        source: The rows.
        target: Path or URL of the table.
        key: Hash of all that decides the result.
        attempt: Names the run in the log of the table.
        num_parts: Its parts.
        done: Commits of those that are there.
    """

    request: Request
    source: Source
    target: str
    key: str
    attempt: str
    num_parts: int
    done: tuple[Part, ...]


def predict_on_cluster(
    request: Request,
    given: str,
    target: str,
    config: RunConfig,
    console: Console,
    *,
    part_rows: int = 100_000,
    force: bool = False,
) -> None:
    """Predicts every row of an input into a Delta table.

    A row belongs to a part by the hash of its content, and each part is one commit that says which it is:
    the same command goes on after the last one that is there, and has nothing to do after the last of all.

    Args:
        request: What is asked for.
        given: The input: a Delta table or files of JSON lines.
        target: Path or URL of the table.
        config: Where Spark runs.
        console: Where progress goes.
        part_rows: Rows of a part, about.
        force: Run even if nothing changed, and replace a table that no prediction made.

    Raises:
        RinglakeError: Input, output or model cannot be used, or Spark failed; what is committed stays.
    """
    if target.endswith(".jsonl") or target == "-":
        raise InputError(f"--cluster writes a Delta table, and --output {target} is none; name a folder")
    check_target(target, force=force)
    source = find_source(given, request)
    key = request.key(source.identity)
    parts = [] if force else [part for part in parts_of(target) if part.noted.get("key") == key]
    if parts and len(parts) == parts[0].noted["of"]:
        console.say(f"{request.verb}: up to date ({target} version {parts[0].version}; {_tally(parts)})")
        return
    lake = _lake_of(target)
    began, clock, memory = datetime.now(UTC), time.monotonic(), PeakMemory()
    with _held(lake), memory:
        console.say(f"starting Spark on {config.spark.master}")
        log = _LOG if lake is None else lake.spark_log
        log.parent.mkdir(parents=True, exist_ok=True)
        spark = open_session(config.spark, f"predict {request.verb}", log, (given, target))
        facts = facts_of(spark, log)
        try:
            job = _job(spark, request, source, target, key, parts, part_rows)
            done = _carry_out(spark, job, console)
        except RinglakeError:
            raise
        except Exception as error:
            raise as_ringlake_error(request.verb, error, facts, jvm_status(spark)) from error
    seconds = time.monotonic() - clock
    rows = sum(int(part["rows"]) for part in done)
    refused = sum((Counter(part["refused"]) for part in done), Counter())
    console.say(f"{request.verb}: {told(rows, refused)}; {seconds:.1f} s; {target}")
    if lake is not None:
        record = _record(job, done, began, seconds, memory.peak_mb)
        Ledger(lake).append(record)


def _job(
    spark: SparkSession,
    request: Request,
    source: Source,
    target: str,
    key: str,
    parts: list[Part],
    part_rows: int,
) -> _Job:
    if parts:
        noted = parts[0].noted
        return _Job(request, source, target, key, noted["attempt"], noted["of"], tuple(parts))
    rows = source.frame(spark).count() if source.num_rows is None else source.num_rows
    if not rows:
        raise InputError(f"--input {source.location} has no rows, so there is nothing to predict")
    num_parts = min(MOST_PARTS, -(-rows // part_rows))
    return _Job(request, source, target, key, uuid.uuid4().hex, num_parts, ())


def _carry_out(spark: SparkSession, job: _Job, console: Console) -> list[dict[str, Any]]:
    """Writes the parts that are missing; returns what is noted with all of them."""
    done = [part.noted for part in reversed(job.done)]
    if done:
        console.say(f"{job.request.verb}: going on with part {len(done) + 1} of {job.num_parts}")
    rows = job.source.frame(spark)
    for number in range(len(done), job.num_parts):
        noted = _write_part(spark, job, rows, number, console)
        done.append(noted)
    num_rows = job.source.num_rows
    found = sum(int(noted["rows"]) for noted in done)
    if num_rows is not None and num_rows != found:
        raise AccountingError(
            f"{job.request.verb}: {num_rows} rows went in, but {found} came out; do not use the table. "
            f"Please report this with the command"
        )
    return done


def _write_part(
    spark: SparkSession, job: _Job, rows: DataFrame, number: int, console: Console
) -> dict[str, Any]:
    from pyspark.sql import functions as F

    began = time.monotonic()
    group = f"{job.request.verb} {number + 1}/{job.num_parts}"
    spark.sparkContext.setJobGroup(group, f"Predict part {number + 1} of {job.num_parts}")
    place = F.xxhash64(*rows.columns)
    chosen = rows if job.num_parts == 1 else rows.where(F.pmod(place, F.lit(job.num_parts)) == number)
    predicted = job.source.predicted(chosen.repartition(_tasks(spark, job), place), job.request)
    # Kept on disk: the counts go with the commit, and a model must not be asked twice.
    keep_on_disk(predicted)
    try:
        with SparkProgress(spark, group, console):
            counts = {
                row["reason"]: int(row["count"]) for row in predicted.groupBy("reason").count().collect()
            }
            refused = {reason: count for reason, count in counts.items() if reason is not None}
            noted: dict[str, Any] = {
                "verb": job.request.verb,
                "model": job.request.identity,
                "options": job.request.options.deciding(job.request.verb),
                "input": job.source.location,
                "input_version": job.source.version,
                "code_version": code_version(),
                "key": job.key,
                "part": number,
                "of": job.num_parts,
                "rows": sum(counts.values()),
                "refused": refused,
            }
            commit_part(job.target, predicted, job.attempt, number, noted)
    finally:
        release(predicted)
    seconds = time.monotonic() - began
    rate = noted["rows"] / max(seconds, 1e-6)
    console.say(
        f"{job.request.verb}: part {number + 1} of {job.num_parts}: {told(noted['rows'], Counter(refused))}; "
        f"{seconds:.1f} s, {rate:,.1f} rows/s"
    )
    return {**noted, "attempt": job.attempt}


def _tasks(spark: SparkSession, job: _Job) -> int:
    """Tasks of a part: some for each slot, so that the last to end does not keep the others waiting long."""
    slots = max(1, spark.sparkContext.defaultParallelism)
    if job.source.num_rows is None:
        return 4 * slots
    return max(slots, min(4 * slots, job.source.num_rows // job.num_parts // _LEAST_TASK_ROWS))


def _tally(parts: list[Part]) -> str:
    refused = sum((Counter(part.noted["refused"]) for part in parts), Counter())
    return told(sum(int(part.noted["rows"]) for part in parts), refused)


def _lake_of(target: str) -> Lake | None:
    """The lake that a table lies in, if it lies among the tables of one."""
    above, _, _ = folder_of(target).location.rpartition("/")
    root, _, name = above.rpartition("/")
    return Lake.at(root) if name == "tables" and folder_of(above).is_folder() else None


@contextmanager
def _held(lake: Lake | None) -> Iterator[None]:
    """Holds the lake that is written to."""
    if lake is None:
        yield
        return
    with lake.locked():
        yield


def _record(
    job: _Job, done: list[dict[str, Any]], began: datetime, seconds: float, peak_mb: float
) -> RunRecord:
    """The row of the ledger: rows in = predicted + refused."""
    name = job.target.rstrip("/").rpartition("/")[2]
    source = job.source.location.rstrip("/").rpartition("/")[2]
    refused = sum((Counter(part["refused"]) for part in done), Counter())
    rows = sum(int(part["rows"]) for part in done)
    newest = parts_of(job.target)
    options = job.request.options.deciding(job.request.verb)
    return RunRecord(
        run_id=uuid.uuid4().hex,
        stage=STAGE,
        state="succeeded",
        run_key=job.key,
        config_hash=digest(options),
        config=json.dumps(options, sort_keys=True),
        code_version=code_version(),
        started_at=began,
        seconds=round(seconds, 3),
        peak_memory_mb=round(peak_mb, 1),
        inputs={} if job.source.version is None else {source: job.source.version},
        outputs={name: newest[0].version} if newest else {},
        unit="rows",
        rows_in=rows,
        rows_out=rows - sum(refused.values()),
        rows_quarantined=sum(refused.values()),
        details={
            "verb": job.request.verb,
            "model": job.request.identity,
            "input": job.source.location,
            "refused": dict(refused),
            "parts": job.num_parts,
        },
    )
