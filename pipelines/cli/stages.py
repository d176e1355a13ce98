"""`ringlake run` and a command for each stage, with the flags of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
import yaml

from conf import DEFAULT_RUN, load
from pipelines.cli.variadic import VariadicCommand

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


@dataclass(frozen=True)
class Flag:
    """A flag of a stage that stands for one key of the configuration."""

    name: str
    key: str
    type: Any
    help: str

    def parameter(self) -> inspect.Parameter:
        """The flag as a parameter that typer reads."""
        option = typer.Option(f"--{self.name}", help=f"{self.help} [key: {self.key}]")
        return inspect.Parameter(
            self.name.replace("-", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[self.type | None, option],
        )


FLAGS: dict[str, tuple[Flag, ...]] = {
    "ingest": (
        Flag("input", "ingest.inputs", list[str], "Files, folders or globs; several may follow one --input."),
        Flag(
            "format",
            "ingest.format",
            str,
            "auto, jsonl, text, parquet, csv, tsv, html, warc, wet, delta or python-docs.",
        ),
        Flag("text-field", "ingest.text_field", str, "Field or column that holds the text."),
        Flag("id-field", "ingest.id_field", str, "Field or column that holds the source's own id."),
        Flag("target-field", "ingest.target_field", str, "Field with the other side of a parallel pair."),
        Flag("extractor", "ingest.extractor", str, "trafilatura or resiliparse, for HTML and WARC."),
        Flag(
            "text-unit",
            "ingest.text_unit",
            str,
            "What is one document of a text file: line, paragraph or file.",
        ),
    ),
    "clean": (
        Flag("profile", "clean.profile", str, "Named list of quality rules."),
        Flag("language", "clean.languages", list[str], "Languages that stay, ISO 639-1."),
        Flag("url-blocklist", "clean.url_blocklist", list[str], "Files of blocked domains and URL prefixes."),
        Flag("phone-region", "clean.privacy.phone_regions", list[str], "Regions of national phone numbers."),
        Flag("national-id", "clean.privacy.national_ids", list[str], "Kinds of ids, as us.ssn or es.nif."),
    ),
    "repeats": (
        Flag("unit", "repeats.unit", str, "What is counted and dropped: line or paragraph."),
        Flag("min-documents", "repeats.min_documents", int, "Documents it takes to drop a unit."),
        Flag("min-words", "repeats.min_words", int, "Units of fewer words stay."),
        Flag("keep", "repeats.keep", str, "first: stays in one document; none: in no document."),
    ),
    "dedup": (
        Flag("decontaminate", "decontaminate.sets", list[str], "Evaluation sets (files)."),
        Flag("method", "dedup.method", str, "exact or minhash (which includes exact)."),
        Flag("url", "dedup.url", bool, "Documents of one web address are duplicates too."),
        Flag("unit", "dedup.unit", str, "What a shingle is made of: words or characters."),
        Flag("ngram", "dedup.ngram", int, "Words, or characters, in a shingle."),
        Flag("bands", "dedup.bands", int, "LSH bands."),
        Flag("rows", "dedup.rows", int, "MinHash values in a band."),
        Flag("seed", "dedup.seed", int, "Seed of the MinHash permutations."),
        Flag("verify", "dedup.verify_threshold", float, "Least true Jaccard similarity of near-duplicates."),
        Flag("keep", "dedup.keep", str, "Who stays of a cluster: longest or first."),
        Flag("history", "dedup.history", str, "Folder of the signatures of earlier batches."),
        Flag("batch", "dedup.batch", str, "Name of this batch in the history; else the lake's path."),
        Flag("validation-fraction", "dedup.validation_fraction", float, "Share of documents held out."),
    ),
    "tokenize": (
        Flag("model", "tokenize.model", str, "What is trained: bpe or unigram."),
        Flag("vocab-size", "tokenize.vocab_size", int, "Entries of the vocabulary."),
        Flag("tokenizer", "tokenize.tokenizer", str, "Existing tokenizer.json or folder to use."),
    ),
    "mix": (
        Flag("token-budget", "mix.token_budget", int, "Training tokens of the mixture."),
        Flag("max-repeats", "mix.max_repeats", float, "Most times a group may be seen."),
    ),
    "features": (
        Flag("unit", "features.unit", str, "What gets a vector: words or tokens."),
        Flag("vector-size", "features.vector_size", int, "Numbers in a vector."),
    ),
    "pack": (
        Flag("sequence-length", "pack.sequence_length", int, "Tokens in a sequence."),
        Flag("method", "pack.method", str, "concat, or best_fit, which cuts fewer documents and pads."),
    ),
    "train": (
        Flag("steps", "train.steps", int, "Optimizer steps."),
        Flag("num-ranks", "train.num_ranks", int, "Training processes; as many slots must be free."),
        Flag("global-batch-size", "train.global_batch_size", int, "Sequences in a step, over all ranks."),
        Flag("learning-rate", "train.learning_rate", float, "Peak learning rate."),
        Flag("pretrained", "model.pretrained", str, "Local model folder to start from."),
    ),
    "evaluate": (),
    "report": (),
    "card": (
        Flag("license", "card.license", str, "Licence of the corpus, e.g. cc-by-4.0."),
        Flag("contact", "card.contact", str, "Who answers questions about it."),
    ),
}

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
    for name, flags in FLAGS.items():
        command = _stage_command(name, flags)
        app.command(name=name, cls=_StageCommand, help=HELP[name], short_help=SHORT[name])(command)


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


def _stage_command(stage: str, flags: tuple[Flag, ...]) -> Callable[..., None]:
    def command(**values: Any) -> None:
        overrides = [f"lake={values['lake']}"]
        if values.get("input") and values["run_file"] == DEFAULT_RUN:
            # The default run file reads this Python's documentation; what the user names is anything.
            overrides.append("ingest.format=auto")
        for flag in flags:
            value = values[flag.name.replace("-", "_")]
            if value is not None:
                overrides.append(
                    f"{flag.key}={yaml.safe_dump(value, default_flow_style=True, width=10**9).strip()}"
                )
        overrides += values["settings"] or []
        if values.get("explain"):
            from pipelines.cli.explain import explain_file

            explain_file(values["explain"], load(values["run_file"], overrides))
            return
        _execute(values["run_file"], overrides, stage, None, values["force"])

    common: dict[str, tuple[Any, Any]] = {
        "lake": (LakeOption, "lake"),
        "run_file": (RunOption, DEFAULT_RUN),
        "settings": (SetOption, None),
        "force": (ForceOption, False),
        "traceback": (TraceOption, False),
    }
    if stage == "clean":
        common["explain"] = (ExplainOption, None)
    parameters = [flag.parameter() for flag in flags] + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in common.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _execute(run_file: str, overrides: list[str], stage: str | None, until: str | None, force: bool) -> None:
    config = load(run_file, overrides)
    # Imported late: a wrong key is told in a tenth of a second, not after Spark and torch are loaded.
    from pipelines.errors import InputError
    from pipelines.lake import Lake
    from pipelines.run.console import Console
    from pipelines.run.context import Context
    from pipelines.run.engine import run_stages
    from pipelines.run.registry import STAGES

    names = [item.name for item in STAGES]
    for name in (stage, until):
        if name is not None and name not in names:
            raise InputError(f"there is no stage {name!r}; the stages are {', '.join(names)}")
    context = Context(config, Lake.at(config.lake), Console(), run_file=run_file, overrides=tuple(overrides))
    chosen = list(STAGES if until is None else STAGES[: names.index(until) + 1])
    chosen = [item for item in chosen if item.name == stage or (stage is None and item.enabled(context))]
    if stage not in (None, "ingest"):
        context.lake.require()
    run_stages(context, chosen, force=force)
    if stage is None and until is None:
        context.console.say(f"done: {context.lake.model.location} and {context.lake.report}")


class _StageCommand(VariadicCommand):
    """Fills in the names of the profiles only when the help is shown: importing the rules takes time."""

    def get_help(self, ctx: Any) -> str:
        """The help text, profiles filled in."""
        if self.help and "{profiles}" in self.help:
            from pipelines.clean.profiles import PROFILES

            self.help = self.help.replace("{profiles}", ", ".join(sorted(PROFILES)))
        return super().get_help(ctx)
