"""What a rank is given: everything that training or evaluation needs, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conf.model import ModelConfig
from conf.task import TaskConfig
from conf.train import TrainConfig
from conf.urls import values_without_secrets
from ringlake.base.tasks import LANGUAGE_MODEL, extensions_of
from training.added import identity_of
from training.checkpoints.identity import CODE
from training.data.batches import Plan
from training.data.layout import Layout
from training.models.card.about import About
from training.version import training_code

COMPUTED_BY = frozenset(
    {
        "num_ranks",
        "threads_per_rank",
        "micro_batch_size",
        "validate_every",
        "validate_sequences",
        "checkpoint_every",
        "keep_checkpoints",
        "compile",
        "activation_checkpointing",
        "export",
        "tensorboard",
        "mlflow",
        "mlflow_model",
        "peak_tflops",
        "log_every",
        "stall_seconds",
        "max_restarts",
        "elastic",
        "interface",
        "ports",
        # What of it is more than a way to compute the same says the strategy itself, by identity().
        "strategy",
    }
)
"""Keys of the train section that say how or how often, not what: a checkpoint outlives a change of them."""

_STEERING_BY = frozenset({"validate_every", "validate_sequences"})
"""Keys that decide what is computed as soon as validation steers."""


def deciding_settings(config: TrainConfig) -> dict[str, Any]:
    """The keys of the train section that decide what training computes, as JSON values."""
    steers = config.patience is not None or config.plateau.patience is not None
    left_out = COMPUTED_BY - _STEERING_BY if steers else COMPUTED_BY
    return config.model_dump(mode="json", exclude=set(left_out)) | identity_of(config.strategy)


def task_settings(task: TaskConfig) -> dict[str, Any]:
    """What of the task decides what training computes besides the sequences; nothing for a language model.

    Of a task of another package that is also its code.
    """
    if task.name == LANGUAGE_MODEL:
        return {}
    options = {"options": task.noted_options} if task.options else {}
    codes = [f"{found.distribution} {found.code}" for found in extensions_of(task.name)]
    return {"name": task.name, **options, **({"code": codes[0]} if codes else {})}


def settings_identity(
    model: ModelConfig, config: TrainConfig, task: TaskConfig | None = None
) -> dict[str, Any]:
    """The settings that decide the values that training computes, as JSON values."""
    settings = {
        **{f"task.{name}": value for name, value in task_settings(task or TaskConfig()).items()},
        **{f"train.{name}": value for name, value in deciding_settings(config).items()},
        **{f"model.{name}": value for name, value in model.model_dump(mode="json").items()},
    }
    # They are stored with every checkpoint, and a changed password is no other training.
    return {name: values_without_secrets(value) for name, value in settings.items()}


@dataclass(frozen=True)
class TrainJob:
    """A training, the same value on every rank.

    Attributes:
        model: What to train.
        config: How.
        plan: Which sequence is in which global batch.
        train: Where the training sequences lie.
        validation: Where the validation sequences lie; None: nothing is ever validated.
        vocab_size: Entries of the tokenizer.
        tokenizer_dir: Folder of the tokenizer, copied beside the model.
        checkpoint_dir: Folder of checkpoints and metrics.
        model_dir: Folder of the finished model.
        source: Tables, versions, contents and tokenizer, and the content of what the model starts from, for
            checkpoints and the model's README; see `training.sources` and `training.models.content`.
        task: What the model is for.
        facts: What tokenizing noted of the examples of that task, see `Snapshot.task`.
        about: What the README of the model says besides; nothing that is computed depends on it.
        target_tokenizer_dir: Folder of the tokenizer of the targets; empty: they have that one.
    """

    model: ModelConfig
    config: TrainConfig
    plan: Plan
    train: Layout
    validation: Layout | None
    vocab_size: int
    tokenizer_dir: str
    checkpoint_dir: str
    model_dir: str
    source: dict[str, Any]
    task: TaskConfig = field(default_factory=TaskConfig)
    facts: Mapping[str, Any] = field(default_factory=dict)
    about: About = field(default_factory=About)
    target_tokenizer_dir: str = ""

    def identity(self) -> dict[str, Any]:
        """All that decides the values that training computes; a checkpoint is refused if any differs."""
        return {
            **{f"plan.{name}": value for name, value in self.plan.parameters().items()},
            **settings_identity(self.model, self.config, self.task),
            **self.source,
            "sequence_length": self.train.sequence_length,
            "vocab_size": self.vocab_size,
            CODE: training_code(),
        }


@dataclass(frozen=True)
class EvaluateJob:
    """An evaluation, the same value on every rank.

    Attributes:
        model_dir: Folder of the model.
        layout: Where the sequences lie.
        vocab_size: Entries of the tokenizer.
        batch_size: Sequences a rank computes at once.
        task: The task that the sequences are of.
        facts: What tokenizing noted of the examples of that task, see `Snapshot.task`.
        config: The train section.
        tokenizer_dir: Folder of the sequences' tokenizer; empty: the model's own.
        apart: Whether the documents of a sequence are kept apart; None: as the model says.
    """

    model_dir: str
    layout: Layout
    vocab_size: int
    batch_size: int
    task: str = LANGUAGE_MODEL
    facts: Mapping[str, Any] = field(default_factory=dict)
    config: TrainConfig = field(default_factory=TrainConfig)
    tokenizer_dir: str = ""
    apart: bool | None = None
