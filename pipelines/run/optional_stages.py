"""The optional stages `repeats` and `mix`, and what the optional parts change for the stages behind them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark import StorageLevel

from conf.data import CleanConfig
from pipelines.clean.language import model_hash
from pipelines.decontaminate.items import files_hash as sets_hash
from pipelines.decontaminate.stage import decontaminate
from pipelines.errors import InputError
from pipelines.lake import TableInfo, read_table
from pipelines.mix.stage import mix, with_copies
from pipelines.repeats.stage import repeats
from pipelines.run.accounting import Tally
from pipelines.run.binding import rows_of, watched, write_output
from pipelines.run.context import Context
from pipelines.run.keys import digest
from pipelines.run.libraries import CLEANING, COMPARING
from pipelines.run.stage import Outcome, Stage
from pipelines.stage import StageOutput, release

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def cleaned(context: Context) -> str:
    """The table that dedup reads: `trimmed` where `repeats.unit` is set, else `clean`."""
    return "clean" if context.config.repeats.unit is None else "trimmed"


def tell_of_unread(context: Context, table: str, source: str, key: str) -> None:
    """Says so where an optional table is there, made of its source as it is now, but nothing asks for it."""
    if not context.catalog.exists(table):
        return
    info = context.catalog.info(table)
    if info.rows and _made_of(info, source) == context.catalog.version(source):
        context.console.say(
            f"    table {table!r} (version {info.version}) is not read, because {key} is not set: "
            f"{source!r} is read as it is"
        )


def packed_inputs(context: Context) -> tuple[str, ...]:
    """The tables that pack reads: `mixed` too where `mix.groups` are."""
    return ("tokens", "mixed") if context.config.mix.groups else ("tokens",)


def decontaminated(context: Context, output: StageOutput, documents: DataFrame) -> StageOutput:
    """The output of dedup without the survivors that overlap evaluation sets, if there are any sets."""
    if not context.config.decontaminate.sets:
        return output
    for frame in output.shared:
        # The search needs them before they are written.
        if not frame.is_cached:
            frame.persist(StorageLevel.DISK_ONLY)
    try:
        more = decontaminate(
            output.tables["corpus"],
            context.config.decontaminate,
            documents,
            context.console.say,
            cleaned_with(context),
        )
    except BaseException:
        release(*output.shared)
        raise
    return replace(
        output,
        tables=output.tables | more.tables,
        shared=(*output.shared, *more.shared),
        details=output.details | more.details,
    )


def cleaned_with(context: Context) -> CleanConfig:
    """What the documents that dedup reads were cleaned with, as the ledger has it.

    The configuration of this run may say something else: stages can be run one at a time.
    """
    version: int | None = context.catalog.version("clean")
    if cleaned(context) != "clean":
        version = _made_of(context.catalog.info(cleaned(context)), "clean")
    for record in reversed(context.ledger.records()):
        if (
            record.stage == "clean"
            and record.state == "succeeded"
            and version is not None
            and record.outputs.get("clean") == version
        ):
            return CleanConfig.model_validate(json.loads(record.config)["clean"])
    context.console.say(
        "    the ledger does not say what 'clean' was made with: evaluation texts are repaired and redacted "
        "as the section clean of this run says"
    )
    return context.config.clean


def compared_by(context: Context) -> tuple[str, ...]:
    """The libraries that decide what dedup makes: those of cleaning too where it looks for evaluation sets,
    whose texts it makes like the documents.
    """
    return CLEANING if context.config.decontaminate.sets else COMPARING


def sets_fingerprint(context: Context) -> str:
    """Hash of what the search for evaluation sets reads besides tables; empty without sets."""
    sets = sets_hash(context.config.decontaminate)
    return digest(sets, model_hash()) if sets else ""


def mixed_tokens(context: Context) -> DataFrame:
    """The rows that pack packs: those of `tokens`, each as often as `mixed` says if there is a mixture.

    Raises:
        InputError: `mixed` was made of another version of `tokens`.
    """
    tokens = context.input("tokens")
    if not context.config.mix.groups:
        tell_of_unread(context, "mixed", "tokens", "mix.groups")
        return tokens
    mixed = context.filled("mixed")
    current = context.catalog.version("tokens")
    made_of = _made_of(mixed, "tokens")
    if made_of != current:
        raise InputError(
            f"table 'mixed' was made of version {made_of} of 'tokens', which is at version {current} now; "
            f"mix again with the same run file: ringlake mix --lake {context.lake.location}"
        )
    return with_copies(tokens, context.input("mixed"))


def _repeats(context: Context, metadata: dict[str, Any]) -> Outcome:
    documents = context.input("clean")
    with watched(context, "repeats", "Count and drop what many documents share"):
        output = repeats(documents, context.config.repeats, context.console.say)
        versions = write_output(context, output, metadata)
    rows = rows_of(context, versions)
    tally = Tally(
        rows_in=context.catalog.info("clean", metadata["inputs"]["clean"]).rows,
        rows_out=rows["trimmed"],
        rows_rejected=rows["emptied"],
    )
    return Outcome(versions, tally, output.details)


def _mix(context: Context, metadata: dict[str, Any]) -> Outcome:
    tokens, corpus = context.input("tokens"), context.input("corpus")
    _check_same_corpus(context)
    with watched(context, "mix", "Choose how often each document is packed"):
        output = mix(tokens, corpus, context.config.mix)
        versions = write_output(context, output, metadata)
        mixed = read_table(context.spark, context.lake, "mixed", versions["mixed"])
        left_out = mixed.where("copies = 0").count()
    tally = Tally(
        rows_in=context.catalog.info("tokens", metadata["inputs"]["tokens"]).rows,
        rows_out=rows_of(context, versions)["mixed"] - left_out,
        rows_rejected=left_out,
    )
    return Outcome(versions, tally, output.details)


def _check_same_corpus(context: Context) -> None:
    """InputError if `tokens` was made of another version of `corpus` than the current one."""
    current = context.catalog.version("corpus")
    made_of = _made_of(context.filled("tokens"), "corpus")
    if made_of != current:
        raise InputError(
            f"table 'tokens' was made of version {made_of} of 'corpus', which is at version {current} now; "
            f"tokenize again: ringlake tokenize --lake {context.lake.location}"
        )


def _made_of(info: TableInfo, source: str) -> int | None:
    """The version of another table that a table was made of, as its commit says."""
    version: int | None = info.metadata.get("inputs", {}).get(source)
    return version


REPEATS_STAGE = Stage(
    name="repeats",
    purpose="drop lines or paragraphs that many documents share",
    sections=("repeats",),
    inputs=("clean",),
    outputs=("trimmed", "emptied", "repeats"),
    execute=_repeats,
    libraries=lambda _context: COMPARING,
    code=("pipelines.repeats.stage",),
    enabled=lambda context: context.config.repeats.unit is not None,
)

MIX_STAGE = Stage(
    name="mix",
    purpose="choose how often each document is packed",
    sections=("mix",),
    inputs=("tokens", "corpus"),
    outputs=("mixed",),
    execute=_mix,
    code=("pipelines.mix.stage",),
    enabled=lambda context: bool(context.config.mix.groups),
)
