"""Writes a llama model as a GGUF file, which llama.cpp and what is built on it open.

Names and order of the numbers are those of llama.cpp's own converter. That one knows tokenizers by a hash of
the ids of a sample, and so none that was trained here. What is written is what llama.cpp can compute: other
architectures and other tokenizers are refused.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ringlake.base.storage import Folder, folder_of
from training.errors import DataError
from training.models.portable import token_text
from training.models.tokens import TOKENIZER_CONFIG_FILE, TokenizerFile, read_tokenizer

Weights = npt.NDArray[np.float32]

PRE_TOKENIZER = "gpt-2"
"""What llama.cpp calls the split of texts by the pattern of Radford et al. (2019), that of `ByteLevel`."""

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
"""Types of tokens, llama.cpp's numbers (`gguf.TokenType`)."""

_QUERY_OR_KEY = re.compile(r"\.self_attn\.([qk])_proj\.(weight|bias)$")


def write_gguf(model_dir: str, out: Path) -> int:
    """Writes the file; it is there as a whole or not at all.

    Args:
        model_dir: Model folder, a path or URL: config.json, safetensors, tokenizer.json.
        out: The file.

    Returns:
        Its size in bytes.

    Raises:
        DataError: The package `gguf` is not installed, or model or tokenizer are of a kind that a GGUF file
            cannot have.
    """
    gguf = _package()
    folder = folder_of(model_dir)
    config = _config(folder)
    tokenizer = _tokenizer(folder, int(config["vocab_size"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    writer = gguf.GGUFWriter(str(part), "llama")
    try:
        _add_sizes(writer, config)
        _add_tokenizer(writer, tokenizer)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, int(config["num_hidden_layers"]))
        with folder.as_local() as place:
            for name, weights in _weights(place):
                found = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if found is None:
                    raise DataError(
                        f"{model_dir}: a GGUF file of a llama has no place for the weights {name!r}"
                    )
                writer.add_tensor(found, _rearranged(name, weights, config))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(out)
    finally:
        writer.close()
        part.unlink(missing_ok=True)
    return out.stat().st_size


def _package() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise DataError(
            f"writing a GGUF file needs the package gguf ({error}); install ringlake[gguf]"
        ) from error
    return gguf


def _config(folder: Folder) -> dict[str, Any]:
    """The config.json of a plain llama."""
    try:
        config: Any = json.loads(folder.read("config.json"))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{folder.location} has no config.json that can be read ({error})") from error
    if not isinstance(config, dict):
        raise DataError(f"{folder.location}: config.json must hold a JSON object")
    kind, classes = config.get("model_type"), config.get("architectures")
    if kind != "llama" or classes != ["LlamaForCausalLM"]:
        raise DataError(
            f"{folder.location} is a {kind!r} model of the classes {classes}; only a causal llama can be "
            f"written as GGUF here"
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if (found := rope.get("rope_type", rope.get("type", "default"))) != "default":
        raise DataError(f"{folder.location}: rope_type = {found!r} is not written; only 'default' is")
    config["rope_theta"] = rope.get("rope_theta", config.get("rope_theta", 10_000.0))
    config.setdefault("num_key_value_heads", config["num_attention_heads"])
    config["head_dim"] = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return config


def _add_sizes(writer: Any, config: Mapping[str, Any]) -> None:
    writer.add_file_type(0)  # all float32
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(float(config["rope_theta"]))
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    writer.add_vocab_size(config["vocab_size"])


def _weights(place: Path) -> Iterator[tuple[str, Weights]]:
    """Names and float32 numbers of all weights of a folder."""
    # Here and not above: torch takes seconds to import, and knows types of numbers that NumPy has not.
    from safetensors import safe_open

    for file in sorted(place.glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as opened:
            for name in sorted(opened.keys()):
                yield name, opened.get_tensor(name).float().numpy()


def _rearranged(name: str, weights: Weights, config: Mapping[str, Any]) -> Weights:
    """Queries and keys in llama.cpp's order: it turns neighbours, transformers one half with the other."""
    match = _QUERY_OR_KEY.search(name)
    if match is None:
        return weights
    heads = int(config["num_attention_heads" if match[1] == "q" else "num_key_value_heads"])
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weights.shape))


def _tokenizer(folder: Folder, size: int) -> dict[str, Any]:
    """Tokens, their types, merges and special ids of a byte-level BPE.

    Raises:
        DataError: llama.cpp would give texts other ids.
    """
    tree = read_tokenizer(folder)
    model, place = tree.get("model") or {}, folder.location
    _check_tokenizer(tree, model, place)
    tokens = [f"[PAD{number}]" for number in range(size)]
    types = [_UNUSED] * size
    for token, number in model["vocab"].items():
        tokens[number], types[number] = token, _NORMAL
    for token in tree.get("added_tokens", []):
        number = int(token["id"])
        tokens[number] = str(token["content"])
        types[number] = _CONTROL if token.get("special") else _USER_DEFINED
    settings: dict[str, Any] = (
        json.loads(folder.read(TOKENIZER_CONFIG_FILE)) if folder.exists(TOKENIZER_CONFIG_FILE) else {}
    )
    numbers = {token: number for number, token in enumerate(tokens)}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return {
        "tokens": tokens,
        "types": types,
        "merges": merges,
        "end": TokenizerFile(folder).end_of_document_id(),
        "pad": numbers.get(token_text(settings.get("pad_token")) or ""),
        "template": settings.get("chat_template"),
    }


def _check_tokenizer(tree: Mapping[str, Any], model: Mapping[str, Any], place: str) -> None:
    before = tree.get("pre_tokenizer") or {}
    wrong = {
        f"its model is {model.get('type')}, not BPE": model.get("type") != "BPE",
        "it has a normalizer": tree.get("normalizer") is not None,
        "it does not split texts as GPT-2's does": (
            before.get("type"),
            before.get("add_prefix_space"),
            before.get("use_regex", True),
        )
        != ("ByteLevel", False, True),
        "its BPE skips merges, drops some or marks parts of words": any(
            model.get(name)
            for name in (
                "ignore_merges",
                "dropout",
                "byte_fallback",
                "continuing_subword_prefix",
                "end_of_word_suffix",
            )
        ),
    }
    found = [told for told, is_so in wrong.items() if is_so]
    if found:
        raise DataError(
            f"{place}: llama.cpp would give texts other ids than this tokenizer ({'; '.join(found)}); only a "
            f"byte-level BPE as ringlake trains it (tokenize.model bpe) can be written as GGUF"
        )


def _add_tokenizer(writer: Any, tokenizer: Mapping[str, Any]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokenizer["tokens"])
    writer.add_token_types(tokenizer["types"])
    writer.add_token_merges(tokenizer["merges"])
    if tokenizer["end"] is not None:
        # A document follows the token that ends the one before it; in a chat the template writes all.
        writer.add_bos_token_id(tokenizer["end"])
        writer.add_eos_token_id(tokenizer["end"])
    writer.add_add_bos_token(tokenizer["end"] is not None and tokenizer["template"] is None)
    if tokenizer["pad"] is not None:
        writer.add_pad_token_id(tokenizer["pad"])
    if tokenizer["template"] is not None:
        writer.add_chat_template(tokenizer["template"])
