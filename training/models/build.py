"""Builds the model: a `transformers` model, from a config or from a folder."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    MODEL_MAPPING_NAMES,
)
from transformers.utils.logging import disable_progress_bar

from conf.model import ModelConfig
from conf.strategy import StrategySection
from conf.train import TrainConfig
from ringlake.base.seeds import Purpose, derive_seed
from ringlake.base.storage import folder_of
from training.errors import DataError
from training.launch.ranks import current_rank
from training.models.embeddings import initialise_embeddings
from training.tasks.language_model import LanguageModel
from training.tasks.task import AUTO_CLASS, TARGETS, Kind, Task

_BUILD_ERRORS = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    StrictDataclassError,
)
"""What architectures raise at settings that they cannot be built with, sizes below 0 and unknown names."""

_CLASSES: dict[Kind, Any] = {kind: getattr(transformers, name) for kind, name in AUTO_CLASS.items()}

_PRECISION = frozenset({"dtype", "torch_dtype"})
"""Keys that would change the type of the weights."""

_ARCHITECTURES: dict[Kind, Any] = {
    "causal": MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "seq2seq": MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    "masked": MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    "classification": MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "token-classification": MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    "question-answering": MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
    "base": MODEL_MAPPING_NAMES,
}


def build_model(
    config: ModelConfig,
    *,
    vocab_size: int,
    sequence_length: int,
    end_id: int | None,
    seed: int,
    task: Task | None = None,
) -> PreTrainedModel:
    """The model in float32 on this rank's device; equal arguments give equal weights on every rank.

    Args:
        config: Architecture, or the folder to start from; `embeddings` is a path or URL by now.
        vocab_size: Entries of the tokenizer.
        sequence_length: Tokens in a sequence.
        end_id: Id of the end-of-document token, if there is one.
        seed: Seed of the initial weights.
        task: What it is for; None: language modelling.

    Raises:
        DataError: The architecture or one of its arguments does not exist, or a pre-trained model does not
            fit the vocabulary or the sequence length, or the vectors for its embeddings do not fit.
    """
    task = task or LanguageModel(end_id, apart=False)
    torch.manual_seed(derive_seed(seed, Purpose.INITIAL_WEIGHTS))
    if config.pretrained is not None:
        model = _load_pretrained(config.pretrained, task, vocab_size, sequence_length)
    else:
        name, given = task.architecture(config.architecture, config.config)
        try:
            settings = _settings(name, given, task, task.filled_in(vocab_size, sequence_length, end_id))
            model = _CLASSES[task.kind].from_config(settings, attn_implementation="sdpa", dtype=torch.float32)
        except _BUILD_ERRORS as error:
            raise DataError(f"model.config cannot make a {name!r} model: {_line(error)}") from error
        if config.embeddings is not None:
            initialise_embeddings(model, config.embeddings)
    _check_float32(model)
    model.train()
    return _on_device(model)


def speed_up(model: Any, config: TrainConfig) -> None:
    """Have a model recompute activations or be compiled, as configured; weights and their names stay.

    Args:
        model: A causal language model of transformers.
        config: The train section.

    Raises:
        DataError: The architecture cannot recompute activations.
    """
    if config.activation_checkpointing:
        try:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        except ValueError as error:
            raise DataError(
                f"a {model.config.model_type!r} model cannot recompute its activations ({_line(error)}); "
                f"set train.activation_checkpointing to false"
            ) from error
    if config.compile:
        model.compile()


def check_uses_all(model: Any, strategy: StrategySection) -> None:
    """DataError if ranks of torch's DistributedDataParallel or FSDP2 would wait for layers that were dropped.

    Args:
        model: A causal language model of transformers.
        strategy: The section of the strategy that is chosen.
    """
    if not strategy.needs_all_gradients:
        return
    for key, value in model.config.to_dict().items():
        if key.replace("_", "").endswith("layerdrop") and isinstance(value, int | float) and value > 0:
            raise DataError(
                f"model.config.{key} = {value} drops whole layers in training, and strategy ddp waits for "
                f"the gradients of all; set it to 0, or train.strategy.name to ring"
            )


def _check_float32(model: Any) -> None:
    for name, parameter in model.named_parameters():
        if parameter.dtype != torch.float32:
            raise DataError(
                f"the weights {name} of a {model.config.model_type!r} model would be {parameter.dtype}, but "
                f"weights stay in float32; take the setting that makes them so out of model.config, and set "
                f"train.precision instead"
            )


def count_parameters(model: torch.nn.Module) -> int:
    """Trainable numbers in the model; tied weights count once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _settings(name: str, given: Mapping[str, Any], task: Task, filled_in: Mapping[str, Any]) -> Any:
    """The configuration of an architecture.

    Args:
        name: The model type.
        given: `model.config`.
        task: What the model is for.
        filled_in: The settings that follow from the data.
    """
    known_names = _ARCHITECTURES[task.kind]
    if name not in known_names or name not in CONFIG_MAPPING:
        close = difflib.get_close_matches(name, sorted(known_names), n=3)
        raise DataError(
            f"model.architecture = {name!r} is no {task.what} of transformers; "
            f"{'did you mean ' + ' or '.join(close) if close else f'for example {task.default_model()[0]}'}?"
        )
    known = CONFIG_MAPPING[name]()
    for key in given:
        if key in filled_in:
            raise DataError(f"model.config.{key} is filled in from the tokenizer and pack; leave it out")
        if key in _PRECISION:
            raise DataError(
                f"model.config.{key} = {given[key]!r}: weights, gradients and optimizer stay in "
                f"float32; leave it out, and set train.precision to bf16 or fp16 to compute in that"
            )
        if not hasattr(known, key):
            close = difflib.get_close_matches(key, sorted(known.to_dict()), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise DataError(f"model.config.{key} is no argument of a {name!r} model{hint}")
    return AutoConfig.for_model(name, **{**filled_in, **given})


def load_model(folder: str, *, kind: Kind = "causal", **settings: Any) -> PreTrainedModel:
    """The model of a folder (path or URL) in float32 on this rank's device.

    Safetensors only, no code from the folder, nothing from a hub.

    Args:
        folder: Folder with config.json and weights.
        kind: The head that the model is opened with; weights of another head are left aside.
        settings: Settings of that head, in place of those of the folder.

    Raises:
        DataError: It cannot be loaded.
    """
    disable_progress_bar()
    try:
        with folder_of(folder).as_local() as place:
            model = _CLASSES[kind].from_pretrained(
                str(place),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation="sdpa",
                **settings,
            )
    except (OSError, ValueError) as error:
        raise DataError(
            f"the model {folder!r} cannot be loaded: {_line(error)}; it must be a folder with "
            f"config.json and safetensors weights"
        ) from error
    return _on_device(model)


def pick_device() -> torch.device:
    """The GPU of this rank if there is one, else the CPU.

    The launcher shows a rank only the GPUs that Spark gave its task; without such a limit ranks of a host
    take one each by their local rank.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", current_rank().local_rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def _load_pretrained(folder: str, task: Task, vocab_size: int, sequence_length: int) -> PreTrainedModel:
    model = load_model(folder, kind=task.kind, **task.head())
    for side, known, needed in task.vocabularies(model.config, vocab_size):
        if known < needed:
            key = "task.target_tokenizer" if side == TARGETS else "tokenize.tokenizer"
            raise DataError(
                f"model.pretrained = {folder!r} knows {known} tokens{side and f' of {side}'}, but the "
                f"sequences were made with a tokenizer of {needed}; set {key} to the model's own tokenizer"
            )
    longest = getattr(model.config, "max_position_embeddings", None)
    if task.needs_whole_rows and longest is not None and longest < sequence_length:
        raise DataError(
            f"model.pretrained = {folder!r} takes {longest} tokens, but pack.sequence_length = "
            f"{sequence_length}"
        )
    return model


def _on_device(model: Any) -> PreTrainedModel:
    placed: PreTrainedModel = model.to(pick_device())
    return placed


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
