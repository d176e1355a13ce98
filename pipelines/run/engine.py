"""Runs stages in order: skips what is done, keeps the accounts, records every run that ends."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conf import RunConfig
from pipelines.console.heartbeat import Heartbeat
from pipelines.errors import EnvironmentProblem, RinglakeError
from pipelines.interrupt import forget_interrupts, was_interrupted
from pipelines.lake import RunRecord
from pipelines.run.artefacts import NOTED, is_left
from pipelines.run.binding import Besides, Given, Provenance, binding_of
from pipelines.run.carry_out import Outcome, carry_out
from pipelines.run.context import Context
from pipelines.run.failure import as_ringlake_error, explain
from pipelines.run.keys import config_json, digest, run_key, shown_config
from pipelines.run.libraries import versions
from pipelines.run.memory import PeakMemory
from pipelines.run.shuffles import free_shuffles, shuffled_bytes
from pipelines.run.stage_code import stage_code
from pipelines.run.version import code_version
from pipelines.sizing import STORED_TO_TEXT
from pipelines.stages import Stage

_WORTH_FREEING = 64 * 2**20
"""Bytes of shuffles from which on their files are deleted at the end of a stage: that takes half a second."""


def run_stages(context: Context, stages: Sequence[Stage], force: bool = False) -> list[RunRecord]:
    """Runs the stages that are not up to date, in the order given.

    Args:
        context: Configuration, lake, console.
        stages: What to run.
        force: Run them even if nothing changed.

    Returns:
        The run of each stage that made what is there now.

    Raises:
        RinglakeError: A stage failed; it is recorded as failed, and its tables are as before.
    """
    context.forced = force
    context.lake.create()
    records = []
    with context.lake.locked():
        for number, stage in enumerate(stages, start=1):
            title = f"[{number}/{len(stages)}] {stage.name}"
            prepared = prepare(context, stage) if _can_read(context, stage) else None
            done = None if force or prepared is None else _done(prepared)
            if done is not None:
                context.console.say(f"{title}: up to date ({_versions(done.outputs) or 'nothing changed'})")
                records.append(done)
                continue
            context.console.say(f"{title}: {stage.purpose}")
            # Of a table that is missing it tells.
            records.append(_run(prepared or prepare(context, stage)))
    return records


@dataclass(frozen=True)
class Prepared:
    """A stage with all that its key depends on, each part looked at once.

    Attributes:
        given: What it is given.
        besides: What it reads besides tables, with its fingerprint.
        config: Its sections, see `config_json`.
        key: Its key: another one as soon as anything that decides its result is another.
    """

    given: Given[Any]
    besides: Besides[Any]
    config: str
    key: str


def prepare(context: Context, stage: Stage) -> Prepared:
    """Looks at what a stage reads.

    Raises:
        InputError: A table that it reads is missing, or what it reads besides cannot be read.
    """
    tables = {name: context.catalog.info(name) for name in stage.reads_of(context.config)}
    besides = binding_of(stage).besides(context)
    config = config_json(stage.config(context.config))
    inputs = {name: table.version for name, table in tables.items()}
    key = stage_key(stage, context.config, inputs, besides.fingerprint)
    provenance = Provenance(stage.name, key, inputs, digest(config), code_version())
    return Prepared(Given(stage, context, tables, besides.value, provenance), besides, config, key)


def stage_key(stage: Stage, config: RunConfig, inputs: Mapping[str, int], fingerprint: str) -> str:
    """The key of a stage with a configuration.

    Args:
        stage: Its declaration.
        config: The whole configuration; its own sections count.
        inputs: Version of each table that it reads.
        fingerprint: Hash of what it reads besides.
    """
    return run_key(
        stage.name,
        config_json(stage.config(config)),
        inputs,
        fingerprint,
        stage_code(stage),
        versions(stage.libraries(config)),
    )


def up_to_date(context: Context, stage: Stage) -> RunRecord | None:
    """The run that made what the stage would make again, None if it has to run.

    It need not run if its newest successful run had the same configuration, inputs, code and libraries, and
    what that run left is still the current version of each table, and on disk as that run left it.
    """
    return _done(prepare(context, stage)) if _can_read(context, stage) else None


def _can_read(context: Context, stage: Stage) -> bool:
    return all(context.catalog.exists(name) for name in stage.reads_of(context.config))


def _done(prepared: Prepared) -> RunRecord | None:
    stage, context = prepared.given.stage, prepared.given.context
    record = context.ledger.latest(stage.name)
    if record is None or record.run_key != prepared.key:
        return None
    if any(context.catalog.version(name) != version for name, version in record.outputs.items()):
        return None
    if not is_left(record.details.get(NOTED), binding_of(stage).left(context, record.details)):
        return None
    return record


def _run(prepared: Prepared) -> RunRecord:
    given, besides = prepared.given, prepared.besides
    context, stage, provenance = given.context, given.stage, given.provenance
    started, clock = datetime.now(UTC), time.monotonic()
    if besides.told:
        context.console.say(f"    {besides.told}")
    context.fit(besides.num_bytes + STORED_TO_TEXT * sum(table.bytes for table in given.tables.values()))
    outcome: Outcome | None = None
    failure: BaseException | None = None
    left: dict[str, str] = {}
    memory = PeakMemory()
    before, not_started = shuffled_bytes(context.started), context.started is None
    forget_interrupts()
    with memory, Heartbeat(context.console, stage.name):
        try:
            outcome = carry_out(given)
            outcome.tally.check(stage.name)
            left = binding_of(stage).left(context, outcome.details)
            if outcome.refusal is not None:
                raise outcome.refusal
        except BaseException as error:  # noqa: BLE001 - recorded, then raised again below
            failure = KeyboardInterrupt() if was_interrupted() else error
    seconds = time.monotonic() - clock
    measured: dict[str, Any] = {}
    if failure is None:
        measured["shuffled_bytes"] = shuffled_bytes(context.started) - before
        if not_started and context.started is not None:
            measured["spark_start_seconds"] = context.start_seconds
    told = _told(context, stage.name, failure)
    tally = outcome.tally if outcome is not None else None
    record = RunRecord(
        run_id=uuid.uuid4().hex,
        stage=stage.name,
        state="failed" if failure is not None else "succeeded",
        run_key=provenance.run_key,
        config_hash=provenance.config_hash,
        config=shown_config(prepared.config),
        code_version=provenance.code_version,
        started_at=started,
        seconds=round(seconds, 3),
        peak_memory_mb=round(memory.peak_mb, 1),
        inputs=dict(provenance.inputs),
        outputs=dict(outcome.outputs) if outcome is not None else {},
        unit=tally.unit if tally else "documents",
        rows_in=tally.rows_in if tally else 0,
        rows_out=tally.rows_out if tally else 0,
        rows_rejected=tally.rows_rejected if tally else 0,
        rows_quarantined=tally.rows_quarantined if tally else 0,
        rows_duplicate=tally.rows_duplicate if tally else 0,
        details=_details(outcome, left, measured),
        error=_reason(failure, told),
    )
    if failure is not None and not isinstance(failure, Exception):
        raise failure  # Ctrl-C and the like: nothing more is written
    _record(context, record, failure)
    if told is not None:
        raise told from failure
    assert tally is not None
    rate = f", {tally.rows_in / seconds:,.0f} {tally.unit}/s" if seconds > 0 and tally.rows_in else ""
    counts = f"{tally} {tally.unit}; " if tally.rows_in else ""
    use = f"peak memory {memory.peak_mb / 1024:.1f} GiB"
    shuffled = measured["shuffled_bytes"]
    use += f", {shuffled / 2**20:,.0f} MiB shuffled" if shuffled >= 2**20 else ""
    if shuffled >= _WORTH_FREEING and context.started is not None:
        free_shuffles(context.started)
    context.console.say(f"    {counts}{seconds:.1f} s{rate}, {use}")
    return record


def _told(context: Context, stage: str, failure: BaseException | None) -> RinglakeError | None:
    """A failure as the user is told; None where there is none, or it is an interrupt."""
    if not isinstance(failure, Exception):
        return None
    return as_ringlake_error(stage, failure, context.spark_facts, context.jvm_status)


def _reason(failure: BaseException | None, told: RinglakeError | None) -> str | None:
    """What the ledger says of a failure: of a shortage what the user reads, else the cause in short."""
    if failure is None:
        return None
    return str(told) if isinstance(told, EnvironmentProblem) else explain(failure)


def _details(outcome: Outcome | None, left: dict[str, str], measured: dict[str, Any]) -> dict[str, Any]:
    if outcome is None:
        return {}
    return {**outcome.details, **measured, **({NOTED: left} if left else {})}


def _record(context: Context, record: RunRecord, failure: BaseException | None) -> None:
    """Adds the run to the ledger; where that fails, the failure of the stage itself is what is told.

    Raises:
        RinglakeError: The stage succeeded, but its run could not be recorded.
    """
    try:
        context.ledger.append(record)
    except Exception as error:
        where = f"the table 'runs' of the lake {context.lake.location}"
        if failure is not None:
            context.console.say(f"    the failure could not be recorded in {where}: {explain(error)}")
            return
        told = as_ringlake_error(record.stage, error, context.spark_facts, context.jvm_status)
        raise type(told)(
            f"{told}. The stage was finished, but its run could not be recorded in {where}; the same command "
            "repeats the stage"
        ) from error


def _versions(outputs: dict[str, int]) -> str:
    return ", ".join(f"{name} version {version}" for name, version in outputs.items())
