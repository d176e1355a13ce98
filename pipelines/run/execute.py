"""A run file or one of its stages, run from the command line or a program."""

from __future__ import annotations

from collections.abc import Sequence

from conf import RunConfig
from pipelines.added import every_stage
from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.lake import Lake, RunRecord
from pipelines.run.batched import has_batches, refuse_whole
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.run.story import Watcher
from pipelines.stages import Stage

_FIRST = "ingest"
"""The stage that makes a lake; every other one wants it to be there."""


def execute(
    config: RunConfig,
    console: Console,
    *,
    run_file: str = "",
    overrides: Sequence[str] = (),
    stage: str | None = None,
    until: str | None = None,
    force: bool = False,
    watchers: Sequence[Watcher] = (),
) -> list[RunRecord]:
    """Runs all stages that the configuration has, or one of them, and skips what is up to date.

    Args:
        config: The configuration.
        console: Where progress goes.
        run_file: The run file as the user named it, for messages and the report.
        overrides: The `--set` texts and flags, likewise.
        stage: The only stage to run; it runs whether the configuration has it or not.
        until: The last stage to run.
        force: Run even what is up to date.
        watchers: Who is told of the run as it goes on.

    Returns:
        The run of each stage that made what is there now.

    Raises:
        RinglakeError: There is no such stage or lake, or a stage failed.
        ExtensionError: What of another package a stage needs cannot be used.
    """
    if stage is not None:
        stages_until(stage)
    stages = stages_until(until)
    context = Context(
        config,
        Lake.at(config.lake),
        console,
        run_file=run_file,
        overrides=tuple(overrides),
        watchers=watchers,
    )
    chosen = [item for item in stages if item.name == stage or (stage is None and item.is_enabled(config))]
    context.open_catalog()
    if stage not in (None, _FIRST):
        context.lake.require()
    refuse_whole(context.lake, chosen)
    if any(item.name == "train" for item in chosen) and has_batches(context.lake):
        # Imported here: it loads what trains.
        from pipelines.daily.pinned import pinned_versions

        context.pinned = pinned_versions(context)
    records = run_stages(context, chosen, force=force)
    if stage is None and until is None:
        say_done(context)
    return records


def stages_until(last: str | None) -> tuple[Stage, ...]:
    """The stages up to one, with it; None: all. InputError if there is no such stage."""
    stages = every_stage()
    if last is None:
        return stages
    names = [stage.name for stage in stages]
    if last not in names:
        raise InputError(f"there is no stage {last!r}; the stages are {', '.join(names)}")
    return stages[: names.index(last) + 1]


def say_done(context: Context) -> None:
    """Says where a whole run has left what it made."""
    context.console.say(f"done: {context.lake.model.location} and {context.lake.report}")
