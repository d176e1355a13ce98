"""`ringlake run` and a command for each stage, with the flags of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from conf import DEFAULT_RUN
from pipelines.cli.flags import FlagCommand

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


SHORT = {
    "ingest": "Files to documents, quarantine and sources.",
    "clean": "Documents to clean and rejected.",
    "repeats": "Clean to trimmed: drop what many documents share.",
    "dedup": "Clean to corpus and duplicates; split.",
    "tokenize": "Corpus to tokens; trains the tokenizer.",
    "mix": "Tokens to mixed: how often each document is packed.",
    "features": "Words, TF-IDF and vectors of the corpus.",
    "pack": "Tokens to shuffled sequences.",
    "train": "Sequences to a model, in a barrier stage.",
    "evaluate": "Score the model beside two baselines.",
    "report": "Draw report.html.",
    "card": "Write card.md and dataset_card.json.",
}

HELP = {
    "ingest": "Read files into the tables documents, quarantine and sources.\n\n"
    "Each input is read as its extension says, unless --format or a run file of your own says otherwise.\n\n"
    "Example: ringlake ingest --input 'logs/*.jsonl.gz' notes/ --lake lake",
    "clean": "Repair and judge the documents: tables clean and rejected.\n\n"
    "A rejected document keeps the rule, the value measured and the threshold. Profiles: {profiles}.\n\n"
    "Example: ringlake clean --profile gopher-quality --explain page.txt",
    "repeats": "Drop lines or paragraphs that many documents share: tables trimmed, emptied and repeats.\n\n"
    "dedup reads trimmed where the configuration has repeats.unit.\n\n"
    "Example: ringlake repeats --unit line --lake lake && "
    "ringlake dedup --set repeats.unit=line --lake lake",
    "dedup": "Remove duplicates and split train from validation: tables corpus and duplicates.\n\n"
    "With --decontaminate FILE..., survivors that overlap an evaluation set go to table contaminated.\n\n"
    "With --history, also those of earlier batches, and the table superseded.\n\n"
    "Example: ringlake dedup --lake lakes/monday --history lakes/history",
    "tokenize": "Train a byte-level tokenizer on the training split and encode the corpus: table tokens.",
    "mix": "Choose how often each document is packed, by the groups of the run file: table mixed.\n\n"
    "pack reads mixed where the configuration has mix.groups.",
    "features": "Count the words of the corpus without stop words, weigh them, and train vectors of words "
    "or of tokens: tables terms, tfidf and vectors.\n\nVectors of tokens can start a model's embeddings: "
    "--set model.embeddings=features.",
    "pack": "Pack tokens into shuffled fixed-length sequences: table sequences.",
    "train": "Train the model in a barrier stage of this Spark application, from the last checkpoint on.",
    "evaluate": "Score the model beside a unigram and a bigram baseline: evaluation.json.",
    "report": "Draw the self-contained report.html of the lake.",
    "card": "Write the dataset card of the lake: card.md and dataset_card.json.",
}


def register(app: typer.Typer) -> None:
    """Adds `run` and one command a stage."""
    app.command(name="run", short_help="The whole job: raw files to model and report.")(_run)
    for name, text in SHORT.items():
        command = _clean_command() if name == "clean" else _stage_command(name)
        app.command(name=name, cls=_StageCommand, help=HELP[name], short_help=text)(command)


def _run(
    run_file: Annotated[
        str, typer.Argument(help="Run file, e.g. conf/runs/python-docs.yaml.", metavar="RUN.yaml")
    ],
    settings: SetOption = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Stop after this stage.", metavar="STAGE")
    ] = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Run the whole job of a run file: raw files in, model and report out.

    A stage whose inputs, configuration and code did not change is skipped; after a crash the same
    command goes on where the last one stopped.

    Example: ringlake run conf/runs/python-docs.yaml --set lake=/data/lake --set train.steps=1000
    """
    _execute(run_file, settings or [], None, until, force)


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
            from conf import load
            from pipelines.cli.explain import explain_file

            explain_file(explain, load(run_file, overrides))
            return
        _execute(run_file, overrides, "clean", None, force)

    return command


def _execute(run_file: str, overrides: list[str], stage: str | None, until: str | None, force: bool) -> None:
    from conf import load

    config = load(run_file, overrides)
    # Imported late: a wrong key is told in a tenth of a second, not after Spark and torch are loaded.
    from pipelines.run.console import Console
    from pipelines.run.execute import execute

    execute(config, Console(), run_file=run_file, overrides=overrides, stage=stage, until=until, force=force)


class _StageCommand(FlagCommand):
    """The command of a stage: the names of the profiles are filled in only when the help is shown, since
    importing the rules takes time.
    """

    def get_help(self, ctx: Any) -> str:
        """The help text, profiles filled in."""
        if self.help and "{profiles}" in self.help:
            from pipelines.clean.profiles import PROFILES

            self.help = self.help.replace("{profiles}", ", ".join(sorted(PROFILES)))
        return super().get_help(ctx)

    def invoke(self, ctx: Any) -> Any:
        """Calls the command; the inputs that a flag names are read as their extensions say.

        The default run file reads this Python's documentation; what the user names is anything.
        """
        if ctx.params.get("ingest__inputs") and ctx.params["run_file"] == DEFAULT_RUN:
            ctx.params["ingest__format"] = ctx.params.get("ingest__format") or "auto"
        return super().invoke(ctx)
