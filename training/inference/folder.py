"""Opens a model folder for a verb: the right kind of model, safetensors, no code of the folder's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ringlake.base.hashing import file_hash
from ringlake.base.storage import folder_of
from training.errors import DataError
from training.inference.options import Options, Verb
from training.models.build import load_model
from training.models.sides import TARGET_FOLDER, has_target, names_within
from training.models.tokens import TOKENIZER_FILE
from training.tasks.task import Kind

KINDS: dict[Verb, Kind] = {
    "generate": "causal",
    "translate": "seq2seq",
    "classify": "classification",
    "answer": "question-answering",
    "embed": "base",
}
"""The kind of model that a verb needs."""

_HEADS: dict[Kind, tuple[str, str]] = {
    "causal": ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "a causal head"),
    "seq2seq": ("MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES", "a sequence-to-sequence head"),
    "classification": ("MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES", "a classification head"),
    "question-answering": ("MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES", "a question-answering head"),
}

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")

_OFFSET_POSITIONS = frozenset(
    {"camembert", "data2vec-text", "longformer", "roberta", "roberta-prelayernorm", "xlm-roberta", "xmod"}
)
"""Models whose positions begin behind the padding token's id (as fairseq's do): they take fewer tokens."""

_MAX_CONFIG_BYTES = 16 << 20


@dataclass(frozen=True)
class Opened:
    """A model with its tokenizer.

    Attributes:
        model: The model of transformers, in evaluation mode.
        tokenizer: Its tokenizer; a text that spells a special token is text to it.
        writes: The tokenizer of what it writes: that one, unless its targets have one of their own.
        longest: Most tokens of an input.
        special: Ids that no text may have, those of special tokens but the unknown one.
    """

    model: Any
    tokenizer: Any
    writes: Any
    longest: int
    special: frozenset[int]

    def spelled(self, ids: Iterable[int]) -> str | None:
        """Names of the special tokens among the ids of a text, for a message; None where there are none."""
        found = self.special.intersection(ids)
        return ", ".join(self.tokenizer.convert_ids_to_tokens(sorted(found))) if found else None


def check_model(verb: Verb, model_dir: str) -> dict[str, Any]:
    """The config.json of a folder that a verb can use; nothing heavy is loaded.

    Raises:
        DataError: There is no model, its weights are pickled, it needs code of its own, or it is of another
            kind than the verb needs.
    """
    config = _config(model_dir)
    _check_kind(verb, model_dir, config)
    return config


def natural_verb(model_dir: str) -> tuple[Verb, str]:
    """The verb that a model is made for, that of its head or else `embed`, and the model's type.

    Raises:
        DataError: See `check_model`.
    """
    config = _config(model_dir)
    heads = _heads(config)
    verb: Verb = next((verb for verb, kind in KINDS.items() if kind in heads), "embed")
    _check_kind(verb, model_dir, config)
    return verb, config["model_type"]


def _config(model_dir: str) -> dict[str, Any]:
    """The config.json of a folder, whatever its head; DataError as in `check_model`."""
    folder = folder_of(model_dir)
    try:
        if folder.size("config.json") > _MAX_CONFIG_BYTES:
            raise DataError(f"{model_dir}: config.json has more than {_MAX_CONFIG_BYTES} bytes")
        config = json.loads(folder.read("config.json"))
    except FileNotFoundError:
        raise DataError(f"{model_dir} is no model folder: it has no config.json") from None
    except ValueError as error:
        raise DataError(f"{model_dir}: config.json is not valid JSON: {error}") from None
    if not isinstance(config, dict):
        raise DataError(f"{model_dir}: config.json must hold a JSON object")
    _check_weights(model_dir, folder.names())
    name = config.get("model_type")
    if name not in CONFIG_MAPPING:
        own = "needs code of its own, which is not run" if config.get("auto_map") else "is not known here"
        raise DataError(f"{model_dir}: model_type = {name!r} {own}; use a model that transformers has")
    return config


def open_model(verb: Verb, model_dir: str, options: Options) -> Opened:
    """The model of a folder for a verb, on the GPU if there is one.

    Raises:
        DataError: See `check_model`; or the tokenizer cannot be loaded, or bf16 is asked for on a CPU.
    """
    config = check_model(verb, model_dir)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    model: Any = load_model(model_dir, kind=KINDS[verb])
    if options.precision == "bf16":
        if model.device.type != "cuda":
            raise DataError("precision = bf16 needs a GPU, and there is none; leave it at float32")
        model = model.to(torch.bfloat16)
    model.eval()
    with folder_of(model_dir).as_local(TARGET_FOLDER) as place:
        tokenizer = writes = _tokenizer(place, model_dir)
        if has_target(config):
            if not (place / TARGET_FOLDER / TOKENIZER_FILE).is_file():
                raise DataError(
                    f"{model_dir} says that its targets have a tokenizer of their own, but has no "
                    f"{TARGET_FOLDER}/{TOKENIZER_FILE}; copy that folder with the model, or train again"
                )
            writes = _tokenizer(place, model_dir, TARGET_FOLDER)
    named = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    special = (named | set(tokenizer.all_special_ids)) - {tokenizer.unk_token_id}
    return Opened(model, tokenizer, writes, _longest(model.config, tokenizer), frozenset(special))


def _tokenizer(place: Path, model_dir: str, subfolder: str = "") -> Any:
    """The tokenizer of a model folder, or of its targets; DataError if it cannot be loaded."""
    try:
        return AutoTokenizer.from_pretrained(
            str(place),
            subfolder=subfolder,
            local_files_only=True,
            trust_remote_code=False,
            split_special_tokens=True,
        )
    except (OSError, ValueError, ImportError) as error:
        line = " ".join(str(error).split())[:500]
        where = f"{model_dir}/{subfolder}".rstrip("/")
        raise DataError(f"{where} has no tokenizer that can be loaded: {line}") from error


def is_causal(config: Any) -> bool:
    """Whether a model without a head reads from left to right only: its last token has seen all others."""
    name = config.model_type
    return (
        name in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        and name not in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )


def model_identity(model_dir: str) -> str:
    """Hash of all that a model folder is: names and contents of its weights, configurations, vocabularies."""
    folder, digest = folder_of(model_dir), hashlib.sha256()
    for name in names_within(folder):
        if name.endswith((".json", ".safetensors", ".txt", ".model", ".jinja", ".spm")):
            digest.update(f"{name}\0{file_hash(folder, name)}\n".encode())
    return digest.hexdigest()


def _check_weights(model_dir: str, names: list[str]) -> None:
    if any(name.endswith(".safetensors") for name in names):
        return
    pickled = [name for name in names if name.endswith(_PICKLED)]
    if pickled:
        raise DataError(
            f"{model_dir} has weights in {pickled[0]} only, a form that can run code when it is read; write "
            f"them as safetensors where you trust them: model.save_pretrained(folder)"
        )
    raise DataError(f"{model_dir} has no weights: there is no .safetensors file in it")


def _check_kind(verb: Verb, model_dir: str, config: dict[str, Any]) -> None:
    kind, name = KINDS[verb], config["model_type"]
    architecture, heads = _architecture(config), _heads(config)
    if kind == "base":
        # Any encoder or causal model has states to take; one with an encoder and a decoder has two.
        if heads != {"seq2seq"} and not config.get("is_encoder_decoder"):
            return
        needs = "an encoder or a causal model"
    else:
        if kind in heads:
            return
        needs = _HEADS[kind][1]
    has = " or ".join(_HEADS[head][1] for head in sorted(heads)) or (
        f"the architecture {architecture}" if architecture else "no architecture named in its config.json"
    )
    raise DataError(f"{model_dir} is a {name} with {has}; {verb} needs {needs}")


def _architecture(config: dict[str, Any]) -> str:
    given = config.get("architectures")
    return str(given[0]) if isinstance(given, list) and given else ""


def _heads(config: dict[str, Any]) -> set[Kind]:
    """The heads that a model has; more than one where transformers uses a class for several."""
    architecture = _architecture(config)
    return {head for head, (mapping, _) in _HEADS.items() if architecture in _classes(mapping)}


def _classes(mapping: str) -> set[str]:
    found: set[str] = set()
    for value in getattr(modeling_auto, mapping).values():
        found.update([value] if isinstance(value, str) else value)
    return found


def _longest(config: Any, tokenizer: Any) -> int:
    limits = [2**20]
    told = getattr(tokenizer, "model_max_length", None)
    if isinstance(told, int) and 0 < told < 2**31:
        limits.append(told)
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_POSITIONS else 0
        limits.append(positions - offset)
    return min(limits)
