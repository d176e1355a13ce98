"""`ringlake run` and a command for each stage, with the flags of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from conf import DEFAULT_RUN
from pipelines.added import DOOR
from pipelines.cli.flags import FlagCommand
from pipelines.stages import STAGES

LakeOption = Annotated[str, typer.Option("--lake", help="Folder of the lake.", metavar="PATH")]
RunOption = Annotated[str, typer.Option("--run", help="Run file with the defaults.", metavar="RUN.yaml")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override one key of the configuration; may be repeated.", metavar="KEY=VALUE"
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run even if nothing changed.")]
ExplainOption = Annotated[
    str | None,
    typer.Option(
        "--explain",
        help="Print what every rule says of one text, '-' for standard input; no lake, no Spark.",
        metavar="FILE",
    ),
]
TraceOption = Annotated[bool, typer.Option("--traceback", help="Show the traceback of an error.")]


def register(app: typer.Typer) -> None:
    """Adds `run` and one command a stage."""
    app.command(name="run", short_help="The whole job: raw files to model and report.")(_run)
    for stage in STAGES:
        if stage.help:
            command = _clean_command() if stage.name == "clean" else _stage_command(stage.name)
            app.command(name=stage.name, cls=_StageCommand, help=stage.help, short_help=stage.summary)(
                command
            )
    for extension in DOOR.installed():
        # Nothing of its package is imported for the list; its help says the rest.
        if extension.name not in {command.name for command in app.registered_commands}:
            app.command(name=extension.name, cls=_StageCommand, short_help=f"A stage of {extension.origin}.")(
                _stage_command(extension.name)
            )


def _run(
    run_file: Annotated[
        str, typer.Argument(help="Run file, e.g. conf/runs/python-docs.yaml.", metavar="RUN.yaml")
    ],
    settings: SetOption = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Stop after this stage.", metavar="STAGE")
    ] = None,
    force: ForceOption = False,
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="Add a batch of the files that are new, changed or gone."),
    ] = False,
    day: Annotated[
        str | None,
        typer.Option(
            "--date", help="With --incremental: only files with this date in name or folder.", metavar="DATE"
        ),
    ] = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes", help="With --incremental: the configuration may differ from the last batch's."
        ),
    ] = False,
    summary: Annotated[
        str | None,
        typer.Option("--summary", help="Write what became of each stage as JSON.", metavar="FILE"),
    ] = None,
    openlineage: Annotated[
        str | None,
        typer.Option(
            "--openlineage",
            help="Write events of OpenLineage: to a file, a line each, or to an http(s) endpoint.",
            metavar="FILE_OR_URL",
        ),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(
            "--prometheus", help="Write figures for a node exporter's textfile collector.", metavar="FILE"
        ),
    ] = None,
    traceback: TraceOption = False,
) -> None:
    """Run the whole job of a run file: raw files in, model and report out.

    A stage whose inputs, configuration and code did not change is skipped; after a crash the same
    command goes on where the last one stopped.

    With --incremental only files that are new, changed or gone since the last such run are read, and what
    they hold is added to the lake's tables.

    Example: ringlake run conf/runs/python-docs.yaml --set lake=/data/lake --set train.steps=1000
    """
    told = {"summary": summary, "openlineage": openlineage, "prometheus": prometheus}
    if not incremental and (day is not None or accept_changes):
        raise typer.BadParameter("--date and --accept-changes go with --incremental")
    daily = (day, accept_changes) if incremental else None
    _execute(run_file, settings or [], None, until, force, told, daily)


def _stage_command(stage: str) -> Callable[..., None]:
    def command(
        lake: LakeOption = "lake",
        run_file: RunOption = DEFAULT_RUN,
        settings: SetOption = None,
        force: ForceOption = False,
        traceback: TraceOption = False,
    ) -> None:
        _execute(run_file, [f"lake={lake}", *(settings or [])], stage, None, force)

    return command


def _clean_command() -> Callable[..., None]:
    def command(
        lake: LakeOption = "lake",
        run_file: RunOption = DEFAULT_RUN,
        settings: SetOption = None,
        force: ForceOption = False,
        traceback: TraceOption = False,
        explain: ExplainOption = None,
    ) -> None:
        overrides = [f"lake={lake}", *(settings or [])]
        if explain:
            from pipelines.cli.explain import explain_file
            from pipelines.settings import load

            explain_file(explain, load(run_file, overrides))
            return
        _execute(run_file, overrides, "clean", None, force)

    return command


def _execute(
    run_file: str,
    overrides: list[str],
    stage: str | None,
    until: str | None,
    force: bool,
    told: Mapping[str, str | None] | None = None,
    daily: tuple[str | None, bool] | None = None,
) -> None:
    from pipelines.settings import load

    config = load(run_file, overrides)
    # Imported late: a wrong key is told in a tenth of a second, not after Spark and torch are loaded.
    from pipelines.console.console import Console
    from pipelines.lineage.watchers import Told
    from pipelines.run.execute import execute

    console = Console()
    watchers = Told(**(told or {})).watchers(console.say)
    if daily is not None:
        from pipelines.daily.run import Daily, run_daily

        run_daily(
            config,
            console,
            Daily(*daily),
            run_file=run_file,
            overrides=overrides,
            until=until,
            force=force,
            watchers=watchers,
        )
        return
    execute(
        config,
        console,
        run_file=run_file,
        overrides=overrides,
        stage=stage,
        until=until,
        force=force,
        watchers=watchers,
    )


class _StageCommand(FlagCommand):
    """The command of a stage: the names of the profiles are filled in only when the help is shown, since
    importing the rules takes time.
    """

    def get_help(self, ctx: Any) -> str:
        """The help text, profiles filled in."""
        if self.help and "{profiles}" in self.help:
            from pipelines.clean.profiles import PROFILES

            self.help = self.help.replace("{profiles}", ", ".join(sorted(PROFILES)))
        if not self.help:
            self.help = self.stage.help or self.stage.summary
        return super().get_help(ctx)

    def invoke(self, ctx: Any) -> Any:
        """Calls the command; the inputs that a flag names are read as their extensions say.

        The default run file reads this Python's documentation; what the user names is anything.
        """
        if ctx.params.get("ingest__inputs") and ctx.params["run_file"] == DEFAULT_RUN:
            ctx.params["ingest__format"] = ctx.params.get("ingest__format") or "auto"
        return super().invoke(ctx)
