"""Train: goes on from the newest checkpoint of the same training, and keeps those of interrupted ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conf.model import ModelConfig
from conf.task import TaskConfig
from conf.train import TrainConfig
from conf.urls import without_secrets
from pipelines.bindings.about import about_training
from pipelines.bindings.earlier_trainings import after_training, before_training
from pipelines.bindings.embeddings import with_embeddings
from pipelines.bindings.tokenizers import tokenizer_folder
from pipelines.errors import InputError
from pipelines.run.accounting import Tally
from pipelines.run.artefacts import model_identity
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.keys import digest
from ringlake.base.storage import Folder
from ringlake.base.tasks import extensions_of
from training.added import extensions_of as strategy_of
from training.checkpoints.identity import CODE
from training.data.snapshot import Snapshot
from training.errors import DataError
from training.facts import target_of
from training.job import deciding_settings, settings_identity, task_settings
from training.models.content import start_content
from training.models.lora import ADAPTERS
from training.sources import table_key
from training.start import train_model
from training.version import training_code

_ABANDONED = re.compile(r"ringlake-model-[a-z0-9_]{8}(\.tmp)?")


@dataclass(frozen=True)
class Start:
    """What training reads besides the lake's sequences.

    Attributes:
        model: The section `model`, with the place of the vectors that it starts from.
        content: Hashes of the model or the vectors that it starts from.
        mixed: Sequences of other lakes.
        task: What the model is for.
    """

    model: ModelConfig
    content: Mapping[str, str]
    mixed: Sequence[Snapshot]
    task: TaskConfig = field(default_factory=TaskConfig)


def starting_point(context: Context) -> Besides[Start]:
    """Tables mixed in, the model or the vectors that training starts from."""
    mixed = context.mixed()
    model = with_embeddings(context, context.config.model)
    try:
        content = start_content(model)
    except DataError as error:
        raise InputError(f"train: {error}") from error
    tables = [_describe(snapshot) for snapshot in mixed]
    return Besides(
        Start(model, content, mixed, context.config.task),
        digest(tables, content) if tables or content else "",
        extensions=(*strategy_of(context.config.train.strategy), *extensions_of(context.config.task.name)),
    )


def _train(given: Given[Start]) -> Made:
    context, start, config = given.context, given.besides, given.config.train
    train, validation = context.snapshot("train"), context.snapshot("validation")
    key = _key(config, start, [train, validation, *start.mixed])
    before_training(context, key, identity(start, config, [train, *start.mixed]))
    _remove_abandoned(context.lake.root)
    target = target_of(train.task)
    result = train_model(
        given.spark,
        start.model,
        config,
        train,
        validation,
        tokenizer_folder(context.lake, train.tokenizer_hash).location,
        context.lake.checkpoints.child(key).location,
        context.lake.model.location,
        given.say,
        start.mixed,
        start.task,
        about_training(context, train, start.mixed),
        None if target is None else tokenizer_folder(context.lake, target.tokenizer_hash).location,
    )
    after_training(context, key)
    tally = Tally(
        rows_in=result.sequences_planned,
        rows_out=result.sequences_used,
        rows_rejected=result.sequences_lost,
        unit="sequences",
    )
    return Made(tally=tally, details=result.details() | {"checkpoint_key": key})


def _key(config: TrainConfig, start: Start, snapshots: Sequence[Snapshot]) -> str:
    """Name of the folder of checkpoints: another one as soon as anything decides other values."""
    tables = [_describe(snapshot) for snapshot in snapshots]
    model = start.model.model_dump(mode="json")
    settings = {**deciding_settings(config), **task_settings(start.task)}
    return digest(settings, model, start.content, tables, training_code())


def identity(start: Start, config: TrainConfig, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """What a training that starts belongs to, as far as it is known before its tables are opened."""
    wanted = (
        settings_identity(start.model, config, start.task) | dict(start.content) | {CODE: training_code()}
    )
    for number, snapshot in enumerate(snapshots):
        wanted[table_key("table", number)] = without_secrets(snapshot.table)
        wanted[table_key("version", number)] = snapshot.version
        if snapshot.since is not None:
            wanted[table_key("since", number)] = snapshot.since
    return wanted


def _describe(snapshot: Snapshot) -> tuple[str, int, str, str]:
    """A table's sequences: their files are named at random, so that those of a table made anew differ."""
    files = digest(sorted((file.path, file.num_rows) for file in snapshot.files))
    return without_secrets(snapshot.table), snapshot.version, snapshot.tokenizer_hash, files


def _remove_abandoned(root: Folder) -> None:
    """Deletes what ranks of earlier releases that were killed left beside the model; the lake is locked."""
    for name in root.names():
        if _ABANDONED.fullmatch(name):
            root.child(name).remove()


def _left(context: Context, _details: Mapping[str, Any]) -> dict[str, str]:
    """Identity of the model, and of the adapters if they are written alone too."""
    model, lora = context.lake.model, context.config.train.lora
    found = {"model": model_identity(model)}
    if lora.rank and lora.adapters:
        found["model-adapters"] = model_identity(Folder(model.location.rstrip("/") + ADAPTERS))
    return found


BINDING = Binding(_train, starting_point, _left)
