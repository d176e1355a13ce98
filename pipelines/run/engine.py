"""Runs stages in order: skips what is done, keeps the accounts, records every run that ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pipelines.console.heartbeat import Heartbeat
from pipelines.errors import RinglakeError
from pipelines.interrupt import forget_interrupts, was_interrupted
from pipelines.lake import RunRecord
from pipelines.lake.erasures import refuse_unfinished
from pipelines.run.allowed import check_allowed
from pipelines.run.artefacts import NOTED, is_left
from pipelines.run.binding import Given, binding_of
from pipelines.run.carry_out import carry_out
from pipelines.run.context import Context
from pipelines.run.failure import as_ringlake_error, explain
from pipelines.run.installed import check_installed
from pipelines.run.memory import PeakMemory
from pipelines.run.prepare import Prepared, prepare
from pipelines.run.record import Ended, record_of, summary
from pipelines.run.shuffles import free_shuffles, shuffled_bytes
from pipelines.run.story import StageStory, Teller
from pipelines.run.usage import UsageMeter, left_bytes, read_by_ranks
from pipelines.session import check_extensions
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
        RinglakeError: A stage failed; it is recorded as failed, and its tables are as before. Or a package
            that one of them needs is not installed.
    """
    context.forced = force
    teller = context.teller([stage.name for stage in stages])
    with teller.telling():
        is_done = partial(_is_done, context, force)
        check_installed(context.config, stages, is_done)
        check_allowed(context, stages, is_done)
        context.lake.create()
        with context.lake.locked():
            refuse_unfinished(context.lake)
            return [
                _made(context, stage, f"[{number}/{len(stages)}] {stage.name}", teller, force)
                for number, stage in enumerate(stages, start=1)
            ]


def _made(context: Context, stage: Stage, title: str, teller: Teller, force: bool) -> RunRecord:
    """The run of a stage that made what is there now: an earlier one, or one of now."""
    try:
        prepared = prepare(context, stage) if _can_read(context, stage) else None
        done = None if force or prepared is None else _done(prepared)
    except BaseException:
        with teller.telling_of(stage.name, {}):
            raise
    if done is not None:
        context.console.say(f"{title}: up to date ({_versions(done.outputs) or 'nothing changed'})")
        teller.is_up_to_date(stage.name, done)
        return done
    context.console.say(f"{title}: {stage.purpose}")
    reads = {} if prepared is None else {name: info.version for name, info in prepared.given.tables.items()}
    with teller.telling_of(stage.name, reads) as story:
        # Of a table that is missing it tells.
        return _run(prepared or prepare(context, stage), story)


def up_to_date(context: Context, stage: Stage) -> RunRecord | None:
    """The run that made what the stage would make again, None if it has to run.

    It need not run if its newest successful run had the same configuration, inputs, code and libraries, and
    what that run left is still the current version of each table, and on disk as that run left it.
    """
    return _done(prepare(context, stage)) if _can_read(context, stage) else None


def _is_done(context: Context, force: bool, stage: Stage) -> bool:
    """Whether it has nothing to do now; a stage whose inputs are not there yet has."""
    try:
        return not force and up_to_date(context, stage) is not None
    except RinglakeError:
        return False


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


def _run(prepared: Prepared, story: StageStory) -> RunRecord:
    given, besides = prepared.given, prepared.besides
    context, stage = given.context, given.stage
    clock = time.monotonic()
    ended = Ended(datetime.now(UTC))
    if besides.told:
        context.console.say(f"    {besides.told}")
    if prepared.extensions:
        context.console.say(f"    with {', '.join(map(str, prepared.extensions))}")
    context.fit(besides.num_bytes + STORED_TO_TEXT * sum(table.bytes for table in given.tables.values()))
    memory, meter = PeakMemory(), UsageMeter(context.started)
    before, not_started = shuffled_bytes(context.started), context.started is None
    forget_interrupts()
    with memory, Heartbeat(context.console, stage.name):
        try:
            if prepared.extensions:
                check_extensions(context.spark, prepared.extensions)
            ended.outcome = carry_out(given)
            ended.outcome.tally.check(stage.name)
            ended.left = binding_of(stage).left(context, ended.outcome.details)
            if ended.outcome.refusal is not None:
                raise ended.outcome.refusal
        except BaseException as error:  # noqa: BLE001 - recorded, then raised again below
            ended.failure = KeyboardInterrupt() if was_interrupted() else error
    ended.seconds, ended.peak_memory_mb = time.monotonic() - clock, memory.peak_mb
    _measure(ended, given, besides.num_bytes, meter)
    if ended.failure is None:
        ended.shuffled_bytes = shuffled_bytes(context.started) - before
        ended.spark_start_seconds = context.start_seconds if not_started else 0.0
    ended.told = _told(context, stage.name, ended.failure)
    if ended.failure is not None and not isinstance(ended.failure, Exception):
        raise ended.failure  # Ctrl-C and the like: nothing more is written
    record = record_of(prepared, ended)
    # Also of a stage that failed: what it counted is told.
    story.record = record
    _record(context, record, ended.failure)
    if ended.told is not None:
        raise ended.told from ended.failure
    context.console.say(f"    {summary(ended)}")
    if ended.shuffled_bytes >= _WORTH_FREEING and context.started is not None:
        free_shuffles(context.started)
    return record


def _measure(ended: Ended, given: Given[Any], input_bytes: int, meter: UsageMeter) -> None:
    """What it used; where the JVM is gone, what can be said without it."""
    context = given.context
    with contextlib.suppress(Exception):
        ended.cpu_seconds, ended.read_bytes = meter.so_far(context.started if ended.failure is None else None)
    if ended.outcome is None:
        return
    tables = context.catalog
    own = sum(table.bytes for table in given.tables.values())
    ended.read_bytes += input_bytes + read_by_ranks(given.stage.name, own, ended.outcome.details)
    written = sum(tables.info(name, version).bytes for name, version in ended.outcome.outputs.items())
    ended.written_bytes = written + left_bytes(context.lake.root, ended.left)


def _told(context: Context, stage: str, failure: BaseException | None) -> RinglakeError | None:
    """A failure as the user is told; None where there is none, or it is an interrupt."""
    if not isinstance(failure, Exception):
        return None
    return as_ringlake_error(stage, failure, context.spark_facts, context.jvm_status)


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
