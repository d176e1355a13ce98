"""Continues a prompt with a model folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from conf.generate import GenerateConfig
from ringlake.base.storage import folder_of
from training.errors import DataError
from training.models.build import load_model

DEFAULT_NEW_TOKENS = 60
"""Tokens that a sample has where neither the configuration nor the model's length says fewer."""


def generate_text(model_dir: str | Path, prompt: str, config: GenerateConfig) -> str:
    """What the model writes after the prompt; equal arguments give equal text on the same machine.

    The prompt follows an end-of-document token, as the start of a document does in training. If prompt and
    continuation exceed the model's length, the beginning of the prompt is left out.

    Args:
        model_dir: Folder, a path or URL, with config.json, safetensors weights and tokenizer.json.
        prompt: Text to continue; may be empty.
        config: Length, temperature (0 takes the likeliest token), top_p and seed.

    Raises:
        DataError: The folder is no model folder, the prompt would be given a special token, or there is no
        room for as many new tokens.
    """
    model, tokenizer = _load(str(model_dir))
    # Some models that others have made end a text in several ways, the plain one first.
    ends = model.config.eos_token_id
    end = next(iter(ends), None) if isinstance(ends, list) else ends
    ids = _ids_of(prompt, tokenizer)
    if end is not None:
        ids = [end, *ids]
    if not ids:
        raise DataError("an empty prompt needs a tokenizer with an end-of-document token; give some text")
    longest = getattr(model.config, "max_position_embeddings", 2**20)
    num_new = config.max_new_tokens or max(1, min(DEFAULT_NEW_TOKENS, longest // 2))
    room = longest - num_new
    if room < 1:
        raise DataError(
            f"generate.max_new_tokens = {num_new} leaves no room for a prompt: the model takes "
            f"{model.config.max_position_embeddings} tokens in all"
        )
    given = torch.tensor([ids[-room:]], device=model.device)
    sampling: dict[str, Any] = {"do_sample": False}
    if config.temperature > 0:
        sampling = {"do_sample": True, "temperature": config.temperature, "top_p": config.top_p, "top_k": 0}
    torch.manual_seed(config.seed)
    with torch.inference_mode():
        made = model.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=num_new,
            pad_token_id=end if end is not None else 0,
            **sampling,
        )
    return str(tokenizer.decode(made[0, given.shape[1] :], skip_special_tokens=True))


def _ids_of(prompt: str, tokenizer: Any) -> list[int]:
    ids: list[int] = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    spelled = set(ids) & ((special | set(tokenizer.all_special_ids)) - {tokenizer.unk_token_id})
    if spelled:
        names = tokenizer.convert_ids_to_tokens(sorted(spelled))
        raise DataError(
            f"the prompt {prompt[:60]!r} spells special tokens ({', '.join(names)}), which this "
            f"tokenizer cannot tell from text; write it in another way"
        )
    return ids


@lru_cache(maxsize=1)
def _load(model_dir: str) -> tuple[Any, Any]:
    model = load_model(model_dir)
    model.eval()
    try:
        with folder_of(model_dir).as_local() as place:
            tokenizer = AutoTokenizer.from_pretrained(
                str(place), local_files_only=True, trust_remote_code=False, split_special_tokens=True
            )
    except (OSError, ValueError) as error:
        raise DataError(f"{model_dir} has no tokenizer that can be loaded: {error}") from error
    return model, tokenizer
