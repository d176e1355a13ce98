"""`ringlake run --incremental`: one batch of what is new, exactly once, then training and what follows it.

A batch is made in a lake of its own, `LAKE/batches/NUMBER`, by the stages and the engine of any run: a run
that was killed goes on there, and what its files have become meanwhile is looked at again. Once it is made
whole it is marked, and from then on only published: files are not looked at before its row is in `batches`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from conf import RunConfig
from pipelines.bindings.pack import unpacked
from pipelines.bindings.tokenizers import tokenizer_folder
from pipelines.bindings.withdraw import dedup_again, forget_attempt, withdraw_alone, withdraw_stage
from pipelines.console.console import Console
from pipelines.daily.consent import check_possible, check_same, noted
from pipelines.daily.pinned import pinned_versions
from pipelines.daily.plan import DayPlan, finished_batches, known_files, make_plan
from pipelines.daily.publish import Publication
from pipelines.errors import InputError
from pipelines.ingest.discover import discover
from pipelines.lake import Catalog, Lake, RunRecord, read_table
from pipelines.lake.erasures import refuse_unfinished
from pipelines.run.batched import FOLDER, OF_BATCHES, refuse_named
from pipelines.run.context import Context, DayBatch
from pipelines.run.engine import run_stages
from pipelines.run.execute import say_done, stages_until
from pipelines.run.story import Watcher
from pipelines.stages import BY_NAME
from ringlake.base.storage import Folder
from schemas.packed import PACKED

PLAN, READY = "plan.json", "ready.json"


@dataclass(frozen=True)
class Daily:
    """What is asked of a daily run.

    Attributes:
        day: Only files of this date, YYYY-MM-DD; None: all that is new or changed.
        accepts_changes: Whether the configuration may be another one than that of the last batch.
    """

    day: str | None = None
    accepts_changes: bool = False

    def __post_init__(self) -> None:
        if self.day is None:
            return
        try:
            is_date = date.fromisoformat(self.day).isoformat() == self.day
        except ValueError:
            is_date = False
        if not is_date:
            raise InputError(f"--date {self.day!r} is no date; write it as 2026-11-27")


def run_daily(
    config: RunConfig,
    console: Console,
    daily: Daily,
    *,
    run_file: str = "",
    overrides: Sequence[str] = (),
    until: str | None = None,
    force: bool = False,
    watchers: Sequence[Watcher] = (),
) -> list[RunRecord]:
    """Adds one batch of what is new to a lake, then runs the stages that follow packing.

    Args:
        config: The configuration.
        console: Where progress goes.
        daily: What is asked.
        run_file: The run file as the user named it.
        overrides: The `--set` texts and flags.
        until: The last stage to run; a batch is made whole or not at all, so that 'pack' is the first.
        force: Run the stages behind packing even if nothing changed.
        watchers: Who is told of the stages behind packing.

    Returns:
        The run of each stage behind packing that made what is there now.

    Raises:
        RinglakeError: The configuration cannot be run so or has changed, the lake was made otherwise, or a
            stage failed.
    """
    if until in OF_BATCHES and until != "pack":
        raise InputError(
            f"--incremental --until {until}: a batch is added whole or not at all; stop at pack or later"
        )
    stages = stages_until(until)
    check_possible(config)
    context = Context(
        config,
        Lake.at(config.lake),
        console,
        run_file=run_file,
        overrides=tuple(overrides),
        watchers=watchers,
    )
    refuse_named(context.lake, "--incremental")
    context.lake.create()
    with context.lake.locked():
        refuse_unfinished(context.lake)
        _add_batch(context, daily)
    chosen = tuple(item for item in stages if item.name not in OF_BATCHES and item.is_enabled(config))
    if not chosen or not Catalog(context.lake).exists("sequences"):
        return []
    context.pinned = pinned_versions(context)
    records = run_stages(context, chosen, force=force)
    if until is None:
        say_done(context)
    return records


def _add_batch(context: Context, daily: Daily) -> None:
    """Makes and publishes the batch that is next, if there is anything new; the lake is locked."""
    lake, say = context.lake, context.console.say
    done = finished_batches(lake)
    folders = lake.root.child(FOLDER)
    if not done and not folders.is_folder() and Catalog(lake).exists("documents"):
        raise InputError(
            f"the lake {lake.location} was made by whole runs, which remember no files; begin a lake of "
            "daily batches elsewhere: --set lake=PATH"
        )
    number = 0 if not done else int(done[-1]["number"]) + 1
    for name in folders.names() if folders.is_folder() else []:
        if name != f"{number:06d}":
            # One that is in the lake, and was not deleted yet.
            folders.child(name).remove()
    folder = folders.child(f"{number:06d}")
    _check_sequences(lake, done)
    for line in check_same(context.config, done[-1] if done else None, daily.accepts_changes):
        say(f"note: the configuration has changed: {line}")
    plan = _read_plan(folder) if folder.exists(READY) else None
    if plan is not None:
        say(f"batch {plan.name}: made by an earlier run, which did not come to add all of it")
    else:
        before = None if not done else _time(done[-1]["planned_at"])
        files = _files(context, bool(done))
        plan = make_plan(files, known_files(lake), number, before, daily.day)
        if not (plan.changed or plan.deleted):
            which = "no file" if daily.day is None else f"no file of {daily.day}"
            say(f"up to date: {which} is new, changed or gone ({len(done):,} batches)")
            return
        _keep_plan(folder, plan)
        counts = ", ".join(
            f"{count:,} {change}"
            for change in ("new", "late", "replaced", "deleted")
            if (count := plan.count(change))
        )
        say(f"batch {plan.name}: {counts} files")
    with ExitStack() as stack:
        batch = _batch_context(context, folder, plan, done, stack)
        if not folder.exists(READY):
            _make(batch, context.lake, plan)
            folder.replace(READY, json.dumps(noted(context.config)).encode())
        say(f"batch {plan.name}: adding to {lake.location}")
        Publication(lake, batch, plan, _read_ready(folder), say).publish()
    folder.remove()
    say(f"batch {plan.name}: done")


def _check_sequences(lake: Lake, done: Sequence[dict[str, Any]]) -> None:
    """InputError where the packed files of earlier batches are not as they were packed, as after OPTIMIZE."""
    packed = dict(done[-1]["versions"]).get("sequences") if done else None
    catalog = Catalog(lake)
    if packed is None or (now := catalog.info("sequences").version) == packed:
        return
    held = catalog.active_paths("sequences", packed)
    # A batch that was cut short may have added its own.
    if not held <= catalog.active_paths("sequences", now):
        raise InputError(
            f"table 'sequences' of the lake {lake.location} was changed after batch {done[-1]['batch']}: its "
            f"version {packed} is what was packed, and files of that are not in version {now}. Put it back: "
            f"RESTORE TABLE delta.`{lake.table('sequences')}` TO VERSION AS OF {packed}"
        )


def _files(context: Context, may_be_none: bool) -> list[Any]:
    """What the inputs hold; InputError if there is nothing."""
    try:
        return discover(context.config.ingest)
    except InputError as error:
        if may_be_none and "matches no file" in str(error):
            raise InputError(
                f"{error}. Nothing is withdrawn for that, as a disk may be missing; if all files of a lake "
                "are to go, begin another one"
            ) from error
        raise


def _make(batch: Context, lake: Lake, plan: DayPlan) -> None:
    """Runs the stages of a batch in its own lake, as far as there is anything for them."""
    rows = batch.catalog.rows
    if plan.changed:
        run_stages(batch, [BY_NAME["ingest"]])
    if rows("documents"):
        run_stages(batch, [BY_NAME["clean"]])
    if plan.away:
        run_stages(batch, [withdraw_stage(lake, plan.number, plan.away)])
    if rows("withdrawn"):
        if rows("incoming"):
            run_stages(batch, [dedup_again()])
        else:
            withdraw_alone(batch)
    elif rows("clean"):
        run_stages(batch, [BY_NAME["dedup"]])
    else:
        forget_attempt(batch)
    if rows("corpus"):
        run_stages(batch, [BY_NAME["tokenize"]])
        _check_tokenizer(batch, lake)
    if rows("tokens") and _has_unpacked(batch):
        run_stages(batch, [BY_NAME["pack"]])


def _has_unpacked(batch: Context) -> bool:
    if batch.batch is None or batch.batch.packed is None:
        return True
    return not unpacked(read_table(batch.spark, batch.lake, "tokens"), batch).isEmpty()


def _batch_context(
    context: Context, folder: Folder, plan: DayPlan, done: Sequence[dict[str, Any]], stack: ExitStack
) -> Context:
    """The run of a batch: the configuration with its own lake, and the history and tokenizer of the lake."""
    lake, config = context.lake, context.config
    history = lake.root.child("history").location
    changes: dict[str, Any] = {
        "lake": folder.location,
        "dedup": config.dedup.model_copy(update={"history": history, "batch": plan.name}),
    }
    if (sha256 := _tokenizer_hash(lake)) is not None and done:
        place = stack.enter_context(tokenizer_folder(lake, sha256).as_local())
        changes["tokenize"] = config.tokenize.model_copy(update={"tokenizer": str(place), "end_token": None})
    first_ids: dict[str, int] = {}
    for row in done:
        for split, count in dict(row["sequences"]).items():
            first_ids[split] = first_ids.get(split, 0) + int(count)
    batch = Context(
        config.model_copy(update=changes),
        Lake(folder),
        context.console,
        run_file=context.run_file,
        overrides=context.overrides,
    )
    batch.use_session_of(context)
    packed, version = None, dict(done[-1]["versions"]).get(PACKED.name) if done else None
    if version is not None and (plan.away or plan.again):
        packed = read_table(batch.spark, lake, PACKED.name, version)
    batch.batch = DayBatch(plan.files, first_ids, lake, packed)
    return batch


def _tokenizer_hash(lake: Lake) -> str | None:
    """The tokenizer that made the lake's tokens; None before the first batch with text."""
    if not Catalog(lake).exists("tokens"):
        return None
    return str(Catalog(lake).info("tokens").metadata["tokenizer_hash"])


def _check_tokenizer(batch: Context, lake: Lake) -> None:
    wanted = _tokenizer_hash(lake)
    made = batch.catalog.info("tokens").metadata["tokenizer_hash"]
    if wanted is not None and made != wanted:
        raise InputError(
            f"the tokens of the lake {lake.location} were made with the tokenizer {wanted[:16]}, and its "
            f"copy gives {str(made)[:16]}; put its folder back as it was, or begin another lake"
        )


def _read_plan(folder: Folder) -> DayPlan:
    try:
        return DayPlan.from_json(folder.read(PLAN).decode())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder.file(PLAN)} is damaged ({type(error).__name__}: {error}), and the batch may be in the "
            "lake in part; put the file back"
        ) from error


def _read_ready(folder: Folder) -> dict[str, str]:
    try:
        value = json.loads(folder.read(READY))
        return {name: str(value[name]) for name in ("config", "config_hash")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder.file(READY)} is damaged ({type(error).__name__}: {error}), and the batch may be in the "
            "lake in part; put the file back"
        ) from error


def _keep_plan(folder: Folder, plan: DayPlan) -> None:
    """Notes what a batch reads; what an attempt at other files has left goes first."""
    if folder.is_folder():
        try:
            is_same = plan.same_as(DayPlan.from_json(folder.read(PLAN).decode()))
        except (OSError, ValueError, KeyError, TypeError):
            is_same = False
        if not is_same:
            if folder.exists(PLAN):
                # First: without it nobody takes what is left half deleted for an attempt to go on with.
                folder.delete(PLAN)
            folder.remove()
    folder.create()
    folder.replace(PLAN, plan.to_json().encode())


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
