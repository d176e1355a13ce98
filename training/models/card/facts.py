"""What the README of a model says of its training, as JSON values: `ringlake.json` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf.mixture import MixtureConfig
from conf.model import ModelConfig
from conf.train import TrainConfig
from conf.urls import without_secrets
from ringlake.base.tasks import kind_of
from training.added import identity_of
from training.checkpoints.state import TrainingState
from training.job import TrainJob
from training.logs.progress import loss_text
from training.models.sides import TARGET_FOLDER, has_target
from training.tasks.task import AUTO_CLASS, Task
from training.version import training_code

MAX_LABELS = 100
"""Labels of a classifier that the README names."""

JsonValues = dict[str, Any]


def model_facts(model: Any, task: Task) -> JsonValues:
    """What a model says of itself.

    Args:
        model: The model (transformers).
        task: What it has learned.
    """
    config, declared = model.config, kind_of(task.name)
    longest = getattr(config, "max_position_embeddings", None)
    found: JsonValues = {
        "task": task.name,
        "summary": declared.summary,
        "verb": declared.verb,
        "chats": declared.chats,
        "what": task.what,
        "use": task.use,
        "limits": list(task.limits),
        "kind": task.kind,
        "auto_class": AUTO_CLASS[task.kind],
        "pipeline": task.pipeline,
        "model_type": config.model_type,
        "weights": sum(weights.numel() for weights in model.parameters()),
        "longest": longest if isinstance(longest, int) and longest > 0 else None,
    }
    if has_target(config.to_dict()):
        found["target_tokenizer"] = TARGET_FOLDER
    if task.kind == "classification":
        found["num_labels"] = config.num_labels
        found["labels"] = [str(config.id2label[number]) for number in range(config.num_labels)][:MAX_LABELS]
    if task.kind == "question-answering":
        found["no_answer"] = bool(getattr(config, "no_answer", False))
    return found


def training_facts(
    job: TrainJob, state: TrainingState, *, step: int, parameters: int, num_ranks: int
) -> JsonValues:
    """What a training says of the model that it made.

    Where the lake lies is nobody's business: the folder is meant to be published. So tables are named by
    their versions and contents, and a model that training began with by the last part of its path.

    Args:
        job: The training.
        state: What it came to.
        step: Step whose weights the model has.
        parameters: Trainable numbers in it.
        num_ranks: Ranks at the end.
    """
    totals, steering = state.totals, state.steering
    best = loss_text(steering.best_loss)
    return {
        "name": job.about.name,
        "base": base_name(job.model),
        "base_is_a_name": job.model.pretrained is not None and "/" not in job.model.pretrained,
        "code": training_code(),
        "languages": list(job.about.languages),
        "data": [vars(each) for each in job.about.data],
        "weights_of_lakes": _weights(job.config.mixture),
        "recipe": _recipe(job, num_ranks),
        "training": {
            "parameters": f"{parameters:,}",
            "steps": totals.step,
            "weights of step": step,
            "sequences": totals.sequences,
            "tokens": f"{totals.tokens:,}",
            "training loss (nats)": loss_text(totals.loss),
            "validation loss (nats)": loss_text(totals.validation_loss),
            "best validation loss (nats)": f"{best} at step {steering.best_step}"
            if steering.best_step
            else best,
            "sequence length": job.train.sequence_length,
            "trained by": f"ringlake {training_code()}",
            **{name: value for name, value in job.source.items() if not _is_place(name)},
        },
    }


def base_name(model: ModelConfig) -> str | None:
    """The last part of the path of the model that training begins with; None: it begins from scratch."""
    if model.pretrained is None:
        return None
    return without_secrets(model.pretrained).rstrip("/").rpartition("/")[2] or None


def _recipe(job: TrainJob, num_ranks: int) -> dict[str, str]:
    config = job.config
    found = {
        "task": job.task.name,
        "begins": _beginning(job.model),
        "optimizer": _optimizer(config),
        "learning rate": _rate(config),
        "steps": f"{config.steps:,}",
        "global batch": f"{job.plan.global_batch_size} sequences of {job.train.sequence_length} tokens",
        "canonical shards": str(config.canonical_shards),
        "seed": str(config.seed),
        "norm of the gradient": f"at most {config.clip_norm:g}",
        "precision": config.precision,
        "strategy": _strategy(config, num_ranks),
    }
    more = {
        "label smoothing": f"{config.label_smoothing:g}" if config.label_smoothing else "",
        "class weights": config.class_weights if config.class_weights != "none" else "",
        "documents of a sequence": "kept apart" if config.document_mask else "",
        "parameters that stayed": ", ".join(config.frozen),
        "rate of a layer, to the one above it": f"{config.layer_decay:g}" if config.layer_decay < 1 else "",
        "adapters": f"LoRA of rank {config.lora.rank}, merged" if config.lora.rank else "",
        "stops": f"after {config.patience} validations without a gain" if config.patience else "",
        "weights": "those that validated best" if config.export == "best" else "",
    }
    return found | {name: value for name, value in more.items() if value}


def _beginning(model: ModelConfig) -> str:
    if model.pretrained is not None:
        return f"from the model {base_name(model)}"
    return "from scratch" if model.embeddings is None else "from scratch, its embeddings from word vectors"


def _optimizer(config: TrainConfig) -> str:
    name = config.optimizer
    used = {
        "beta1": config.beta1 if name in ("adamw", "adam") else None,
        "beta2": config.beta2 if name in ("adamw", "adam", "rmsprop") else None,
        "momentum": config.momentum or None,
        "weight decay": config.weight_decay,
    }
    parts = [f"{key} {value:g}" for key, value in used.items() if value is not None]
    return ", ".join([name, *parts, *(["nesterov"] if config.nesterov else [])])


def _rate(config: TrainConfig) -> str:
    down = "" if config.schedule == "constant" else f" to {config.min_learning_rate:g}"
    return f"{config.learning_rate:g}, {config.schedule}{down}, {config.warmup_steps} steps of warm-up"


def _strategy(config: TrainConfig, num_ranks: int) -> str:
    name = config.strategy.name
    if name == "auto":
        name = "single" if num_ranks == 1 else "ring"
    settings: Mapping[str, Any] = identity_of(config.strategy)
    more = [f"{key.rpartition('.')[2]} {value}" for key, value in settings.items()]
    return ", ".join([name, f"{num_ranks} rank{'s' if num_ranks > 1 else ''}", *more])


def _weights(mixture: MixtureConfig) -> list[str]:
    """The shares of the own lake and the others, as the run file has them; empty where there is one lake."""
    if not mixture.lakes:
        return []
    return [f"{each:g}" for each in (mixture.weight, *(other.weight for other in mixture.lakes))]


def _is_place(name: str) -> bool:
    """Whether a fact of `training.sources` is the path or URL of a table."""
    return name.rpartition(".")[2] == "table"
