"""What the optional parts of a run change for the stages that read their tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.decontaminate.stage import decontaminate
from pipelines.errors import InputError
from pipelines.mix.stage import with_copies
from pipelines.run.context import Context
from pipelines.stage import StageOutput

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def cleaned(context: Context) -> str:
    """The table that dedup reads: `trimmed` where `repeats.unit` is set, else `clean`."""
    return "clean" if context.config.repeats.unit is None else "trimmed"


def packed_inputs(context: Context) -> tuple[str, ...]:
    """The tables that pack reads: `mixed` too where `mix.groups` are."""
    return ("tokens", "mixed") if context.config.mix.groups else ("tokens",)


def decontaminated(context: Context, output: StageOutput, documents: DataFrame) -> StageOutput:
    """The output of dedup without the survivors that overlap evaluation sets, if there are any sets."""
    if not context.config.decontaminate.sets:
        return output
    try:
        more = decontaminate(
            output.tables["corpus"], context.config.decontaminate, documents, context.console.say
        )
    except BaseException:
        for frame in output.shared:
            frame.unpersist()
        raise
    return replace(
        output,
        tables=output.tables | more.tables,
        shared=(*output.shared, *more.shared),
        details=output.details | more.details,
    )


def mixed_tokens(context: Context) -> DataFrame:
    """The rows that pack packs: those of `tokens`, each as often as `mixed` says if there is a mixture.

    Raises:
        InputError: `mixed` was made of another version of `tokens`.
    """
    tokens = context.input("tokens")
    if not context.config.mix.groups:
        return tokens
    mixed = context.filled("mixed")
    current = context.catalog.version("tokens")
    made_of = mixed.metadata.get("inputs", {}).get("tokens")
    if made_of != current:
        raise InputError(
            f"table 'mixed' was made of version {made_of} of 'tokens', which is at version {current} now; "
            f"mix again with the same run file: ringlake mix --lake {context.lake.location}"
        )
    return with_copies(tokens, context.input("mixed"))


def check_same_corpus(context: Context) -> None:
    """InputError if `tokens` was made of another version of `corpus` than the current one."""
    current = context.catalog.version("corpus")
    made_of = context.filled("tokens").metadata.get("inputs", {}).get("corpus")
    if made_of != current:
        raise InputError(
            f"table 'tokens' was made of version {made_of} of 'corpus', which is at version {current} now; "
            f"tokenize again: ringlake tokenize --lake {context.lake.location}"
        )
