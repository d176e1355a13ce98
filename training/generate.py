"""Continues a prompt with a model folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from conf.learn import GenerateConfig
from training.errors import DataError
from training.model import load_model
from training.storage import folder_of


def generate_text(model_dir: str | Path, prompt: str, config: GenerateConfig) -> str:
    """What the model writes after the prompt; equal arguments give equal text on the same machine.

    The prompt follows an end-of-document token, as the start of a document does in training. If prompt and
    continuation exceed the model's length, the beginning of the prompt is left out.

    Args:
        model_dir: Folder, a path or URL, with config.json, safetensors weights and tokenizer.json.
        prompt: Text to continue; may be empty.
        config: Length, temperature (0 takes the likeliest token), top_p and seed.

    Raises:
        DataError: The folder is no model folder, or there is no room for as many new tokens.
    """
    model, tokenizer = _load(str(model_dir))
    end = model.config.eos_token_id
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    if end is not None:
        ids = [end, *ids]
    if not ids:
        raise DataError("an empty prompt needs a tokenizer with an end-of-document token; give some text")
    room = getattr(model.config, "max_position_embeddings", 2**20) - config.max_new_tokens
    if room < 1:
        raise DataError(
            f"generate.max_new_tokens = {config.max_new_tokens} leaves no room for a prompt: the model takes "
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
            max_new_tokens=config.max_new_tokens,
            pad_token_id=end if end is not None else 0,
            **sampling,
        )
    return str(tokenizer.decode(made[0, given.shape[1] :], skip_special_tokens=True))


@lru_cache(maxsize=1)
def _load(model_dir: str) -> tuple[Any, Any]:
    model = load_model(model_dir)
    model.eval()
    try:
        with folder_of(model_dir).as_local() as place:
            tokenizer = AutoTokenizer.from_pretrained(
                str(place), local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError) as error:
        raise DataError(f"{model_dir} has no tokenizer that can be loaded: {error}") from error
    return model, tokenizer
