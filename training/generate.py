"""Continues a prompt with a model folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from conf.generate import GenerateConfig
from training.errors import DataError
from training.inference.generate import Writer
from training.inference.options import Options
from training.inference.predictor import Refusal


def generate_text(model_dir: str | Path, prompt: str, config: GenerateConfig, *, asks: bool = False) -> str:
    """What the model writes after the prompt; equal arguments give equal text on the same machine.

    The prompt follows an end-of-document token, as the start of a document does in training. If prompt and
    continuation exceed the model's length, the beginning of the prompt is left out.

    Args:
        model_dir: Folder, a path or URL, with config.json, safetensors weights and tokenizer.json.
        prompt: Text to continue; may be empty.
        config: Length, sampling (temperature 0 takes the likeliest token), beams, stop strings and seed.
        asks: Whether the prompt is what a user says in a chat, which the model answers.

    Raises:
        DataError: The folder is no model folder, the prompt would be given a special token, or there is no
            room for as many new tokens.
    """
    row = {"messages": [{"role": "user", "content": prompt}]} if asks else {"prompt": prompt}
    (outcome,) = _writer(str(model_dir), config).predict([row])
    if isinstance(outcome, Refusal):
        raise DataError(f"the prompt {prompt[:60]!r} cannot be continued: {outcome.detail}")
    return str(outcome.value)


@lru_cache(maxsize=1)
def _writer(model_dir: str, config: GenerateConfig) -> Writer:
    return Writer(model_dir, Options(generate=config))
