"""Runs stages in order: skips what is done, keeps the accounts, records every run that ends."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from pipelines.interrupt import forget_interrupts, was_interrupted
from pipelines.lake import RunRecord
from pipelines.run.context import Context
from pipelines.run.failure import explain, in_our_words
from pipelines.run.heartbeat import Heartbeat
from pipelines.run.keys import config_json, digest, run_key
from pipelines.run.memory import PeakMemory
from pipelines.run.stage import Outcome, Stage
from pipelines.run.version import code_version


def run_stages(context: Context, stages: Sequence[Stage], force: bool = False) -> None:
    """Runs the stages that are not up to date, in the order given.

    Args:
        context: Configuration, lake, console.
        stages: What to run.
        force: Run them even if nothing changed.

    Raises:
        RinglakeError: A stage failed; it is recorded as failed, and its tables are as before.
    """
    context.lake.create()
    with context.lake.locked():
        for number, stage in enumerate(stages, start=1):
            title = f"[{number}/{len(stages)}] {stage.name}"
            if not force and (done := up_to_date(context, stage)):
                context.console.say(f"{title}: up to date ({_versions(done.outputs) or 'nothing changed'})")
                continue
            context.console.say(f"{title}: {stage.purpose}")
            _run(context, stage)


def up_to_date(context: Context, stage: Stage) -> RunRecord | None:
    """The run that made what the stage would make again, None if it has to run.

    It need not run if its newest successful run had the same configuration, inputs and code, and
    what that run left is still the current version of each table and on disk.
    """
    record = context.ledger.latest(stage.name)
    if record is None or any(not context.catalog.exists(name) for name in stage.reads(context)):
        return None
    if record.run_key != _key(context, stage, _input_versions(context, stage)):
        return None
    if any(context.catalog.version(name) != version for name, version in record.outputs.items()):
        return None
    if any(not path.exists() for path in stage.artefacts(context)):
        return None
    return record


def _run(context: Context, stage: Stage) -> None:
    started, clock = datetime.now(UTC), time.monotonic()
    inputs = _input_versions(context, stage)
    config = config_json(stage.config(context))
    key = _key(context, stage, inputs)
    metadata = {
        "stage": stage.name,
        "run_key": key,
        "inputs": inputs,
        "config_hash": digest(config),
        "code_version": code_version(),
    }
    outcome: Outcome | None = None
    failure: BaseException | None = None
    memory = PeakMemory()
    forget_interrupts()
    with memory, Heartbeat(context.console, stage.name):
        try:
            outcome = stage.execute(context, metadata)
            outcome.tally.check(stage.name)
        except BaseException as error:  # noqa: BLE001 - recorded, then raised again below
            failure = KeyboardInterrupt() if was_interrupted() else error
    seconds = time.monotonic() - clock
    tally = outcome.tally if outcome is not None else None
    record = RunRecord(
        run_id=uuid.uuid4().hex,
        stage=stage.name,
        state="failed" if failure is not None else "succeeded",
        run_key=key,
        config_hash=digest(config),
        config=config,
        code_version=code_version(),
        started_at=started,
        seconds=round(seconds, 3),
        peak_memory_mb=round(memory.peak_mb, 1),
        inputs=inputs,
        outputs=outcome.outputs if outcome is not None else {},
        unit=tally.unit if tally else "documents",
        rows_in=tally.rows_in if tally else 0,
        rows_out=tally.rows_out if tally else 0,
        rows_rejected=tally.rows_rejected if tally else 0,
        rows_quarantined=tally.rows_quarantined if tally else 0,
        rows_duplicate=tally.rows_duplicate if tally else 0,
        details=outcome.details if outcome is not None else {},
        error=explain(failure) if failure is not None else None,
    )
    if failure is not None and not isinstance(failure, Exception):
        raise failure  # Ctrl-C and the like: nothing more is written
    context.ledger.append(record)
    if failure is not None:
        raise in_our_words(stage.name, failure) from failure
    assert tally is not None
    rate = f", {tally.rows_in / seconds:,.0f} {tally.unit}/s" if seconds > 0 and tally.rows_in else ""
    counts = f"{tally} {tally.unit}; " if tally.rows_in else ""
    context.console.say(f"    {counts}{seconds:.1f} s{rate}, peak memory {memory.peak_mb / 1024:.1f} GiB")


def _input_versions(context: Context, stage: Stage) -> dict[str, int]:
    return {name: context.catalog.info(name).version for name in stage.reads(context)}


def _key(context: Context, stage: Stage, inputs: dict[str, int]) -> str:
    return run_key(
        stage.name,
        config_json(stage.config(context)),
        inputs,
        stage.fingerprint(context),
        code_version(),
    )


def _versions(outputs: dict[str, int]) -> str:
    return ", ".join(f"{name} version {version}" for name, version in outputs.items())
