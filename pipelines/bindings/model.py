"""The model of a lake, as the stages after training read it, and what the runs before them were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.added import every_stage
from pipelines.errors import InputError
from pipelines.lake import Lake, RunRecord
from pipelines.run.artefacts import NOTED, files_identity, is_left, model_identity
from pipelines.run.binding import Besides
from pipelines.run.context import Context
from pipelines.run.keys import digest
from ringlake.base.storage import File, Folder


def trained(context: Context) -> Besides[None]:
    """The training run whose model is read, and the model that is there."""
    record = context.ledger.latest("train")
    return Besides(None, digest(record.run_id if record else "", model_identity(context.lake.model)))


def own_model(context: Context) -> Folder:
    """The lake's model; InputError unless it is the one of the newest training run in the ledger."""
    model, record = context.lake.model, context.last("train")
    if not _is_of(record, model):
        raise InputError(
            f"{model.location} is not the model of the newest training run in the ledger (that training was "
            f"killed before it was recorded, or the folder was changed); train again with the same run file, "
            f"which goes on from the last checkpoint: ringlake train --lake {context.lake.location}"
        )
    return model


def has_own_model(context: Context) -> bool:
    """Whether the lake has the model of the newest training run in the ledger."""
    record = context.ledger.latest("train")
    return record is not None and _is_of(record, context.lake.model)


def _is_of(record: RunRecord, model: Folder) -> bool:
    noted = (record.details.get(NOTED) or {}).get("model")
    return is_left({"model": noted}, {"model": model_identity(model)})


def latest_runs(context: Context) -> str:
    """Hash of the newest successful runs of all stages that the report tells of."""
    told = {stage.name for stage in every_stage() if stage.is_reported}
    newest = {
        record.stage: record.run_id
        for record in context.ledger.records()
        if record.state == "succeeded" and record.stage in told
    }
    return digest(newest)


def leaves(files: Callable[[Lake], list[File]]) -> Callable[[Context, Mapping[str, Any]], dict[str, str]]:
    """Identity of some files of the lake, for `Binding.left`."""
    return lambda context, _details: files_identity(context.lake, files(context.lake))
