"""What dedup does about evaluation sets: their texts go the way that the documents went."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from conf.clean import CleanConfig
from pipelines.bindings.versions import made_of
from pipelines.clean.forms import CleanedForms
from pipelines.clean.language import model_hash
from pipelines.clean.plans import resolve_all
from pipelines.decontaminate.items import files_hash
from pipelines.decontaminate.stage import decontaminate
from pipelines.run.binding import Besides, Given
from pipelines.run.context import Context
from pipelines.run.keys import digest
from pipelines.stage_output import StageOutput, keep_on_disk, release

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def evaluation_sets(context: Context) -> Besides[None]:
    """What the search for evaluation sets reads besides tables; its fingerprint is empty without sets."""
    sets = files_hash(context.config.decontaminate)
    if not sets:
        return Besides(None, "")
    # Their texts are looked for behind the steps of the profile, those of other packages too.
    return Besides(None, digest(sets, model_hash()), extensions=resolve_all(context.config.clean).extensions)


def without_evaluation_texts(given: Given[None], output: StageOutput, documents: DataFrame) -> StageOutput:
    """The output of dedup without the survivors that overlap evaluation sets, if there are any sets.

    Args:
        given: What dedup was given.
        output: What it made.
        documents: The documents that it read.
    """
    if not given.config.decontaminate.sets:
        return output
    # The search needs them before they are written.
    keep_on_disk(*output.shared)
    try:
        more = decontaminate(
            output.tables["corpus"],
            given.config.decontaminate,
            CleanedForms(cleaned_with(given)),
            documents,
            given.say,
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


def cleaned_with(given: Given[None]) -> CleanConfig:
    """What the documents that dedup reads were cleaned with, as the ledger has it.

    The configuration of this run may say something else: stages can be run one at a time.
    """
    source = given.source
    version: int | None = source.version if source.name == "clean" else made_of(source, "clean")
    for record in reversed(given.context.ledger.records()):
        if (
            record.stage == "clean"
            and record.state == "succeeded"
            and version is not None
            and record.outputs.get("clean") == version
        ):
            return CleanConfig.model_validate(json.loads(record.config)["clean"])
    given.say(
        "    the ledger does not say what 'clean' was made with: evaluation texts are repaired and redacted "
        "as the section clean of this run says"
    )
    return given.config.clean
