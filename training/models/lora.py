"""Low-rank adapters by the library `peft`: they learn in place of a model, then come into its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from conf.lora import LoraConfig
from ringlake.base.scratch import scratch_folder
from ringlake.base.seeds import Purpose, derive_seed
from ringlake.base.storage import Folder
from training.errors import DataError
from training.models.made import write_made
from training.tasks.task import Task

ADAPTERS = "-adapters"
"""What the folder of the adapters alone is called behind the name of the model's."""


def add_adapters(model: Any, config: LoraConfig, task: Task, seed: int) -> None:
    """Freezes a model and adds adapters; a head that is new for the task learns as a whole.

    Equal arguments give equal adapters on every rank.

    Args:
        model: The model (transformers).
        config: The section `train.lora`.
        task: What it is to learn.
        seed: Seed of the initial weights.

    Raises:
        DataError: `peft` is not installed, or a target is no layer that can have adapters.
    """
    peft = _peft()
    torch.manual_seed(derive_seed(seed, Purpose.INITIAL_WEIGHTS, 1))
    targets: Any = list(config.targets) or "all-linear"
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=2 * config.rank if config.alpha is None else config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets,
        exclude_modules=None if config.targets else _heads(model),
    )
    try:
        model.add_adapter(settings)
    except ValueError as error:
        line = " ".join(str(error).split())[:300]
        raise DataError(f"train.lora.targets = {list(config.targets)} cannot be used: {line}") from error
    if task.has_own_head:
        prefix = model.base_model_prefix + "."
        for name, parameter in model.named_parameters():
            if not name.startswith(prefix):
                parameter.requires_grad_(True)


def export_adapters(model: Any, target: Folder) -> None:
    """Writes the adapters alone, without the path of the model that they belong to.

    Args:
        model: A model with adapters.
        target: The model's folder; they come beside it.
    """
    beside = Folder(target.location.rstrip("/") + ADAPTERS)
    with scratch_folder("ringlake-adapters-") as place:
        model.save_pretrained(place)
        file = Path(place) / "adapter_config.json"
        settings = json.loads(file.read_text("utf-8"))
        settings["base_model_name_or_path"] = None
        file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", "utf-8")
        write_made(Path(place))
        beside.replace_by(Path(place))


def merge_adapters(model: Any) -> Any:
    """The model with what its adapters have learned in its own weights; changes the model."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, layer.get_base_layer())
    model._hf_peft_config_loaded = False
    del model.peft_config
    return model


def has_adapters(model: Any) -> bool:
    """Whether adapters were added to a model."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def _heads(model: Any) -> list[str] | None:
    """Linear layers outside of the model proper: a head is learned as a whole, or stays."""
    prefix = model.base_model_prefix + "."
    found = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and not name.startswith(prefix)
    ]
    return found or None


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise DataError(
            "train.lora.rank is above 0, and the library peft is not installed; install ringlake[lora], on "
            "every node"
        ) from error
    return peft
