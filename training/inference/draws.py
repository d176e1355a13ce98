"""What decides the next token: penalties, cuts and draws that are a row's own, whatever the batch.

The processors go into `generate` of transformers, which then takes the likeliest token: after a draw only the
drawn one is left. Cut and scaled logits are those of transformers' own processors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from conf.generate import GenerateConfig


def draws(seed: int, key: str, num: int) -> list[float]:
    """Uniform numbers from [0, 1) that are a function of seed and key, one for each token to be drawn."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
    return [float(number) for number in generator.random(num)]


def processors(
    config: GenerateConfig, mask: torch.Tensor, uniform: Sequence[Sequence[float]]
) -> LogitsProcessorList:
    """What is done to the logits of a batch at each step.

    Args:
        config: Temperature, cuts, penalty.
        mask: Which places of the prompts are real, (rows, longest prompt).
        uniform: Numbers of each row, one a step; empty where nothing is drawn.
    """
    made = LogitsProcessorList()
    if config.repetition_penalty != 1:
        made.append(RepetitionPenalty(config.repetition_penalty, mask))
    if config.temperature > 0:
        made.append(TemperatureLogitsWarper(config.temperature))
        if config.top_k:
            made.append(TopKLogitsWarper(config.top_k))
        if config.top_p < 1:
            made.append(TopPLogitsWarper(config.top_p))
        made.append(Draw(uniform, mask.shape[1]))
    return made


class RepetitionPenalty(LogitsProcessor):
    """Divides positive logits of tokens that are there already by the penalty, multiplies negative ones.

    As in Keskar et al., 2019 (CTRL), section 4.1. The processor of transformers also penalises the token that
    fills a row up, so that a text would depend on how long the prompts beside it are.

    Args:
        penalty: Above 1 against repetition.
        mask: Which places of the prompts are real, (rows, longest prompt).
    """

    def __init__(self, penalty: float, mask: torch.Tensor) -> None:
        self._penalty = penalty
        self._real = mask.bool()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The logits (rows, vocabulary) after the penalty; rows may be beams of the prompts, side by side."""
        width = self._real.shape[1]
        real = self._real.repeat_interleave(len(input_ids) // len(self._real), 0)
        # The last token of a prompt is always real: it stands in for those that are not.
        ids = input_ids.clone()
        ids[:, :width] = torch.where(real, ids[:, :width], ids[:, width - 1 : width])
        found = torch.gather(scores, 1, ids)
        found = torch.where(found < 0, found * self._penalty, found / self._penalty)
        return scores.scatter(1, ids, found)


class Draw(LogitsProcessor):
    """Leaves one token a row: the one at which the cumulated probability passes the row's number.

    Args:
        uniform: Numbers of each row, one a step.
        width: Length of the prompts with what fills them up.
    """

    def __init__(self, uniform: Sequence[Sequence[float]], width: int) -> None:
        self._uniform = torch.tensor(uniform, dtype=torch.float64)
        self._width = width

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Logits (rows, vocabulary) with one finite number a row."""
        step = input_ids.shape[1] - self._width
        cumulated = torch.softmax(scores.double(), -1).cumsum(-1)
        wanted = self._uniform[:, step : step + 1].to(scores.device) * cumulated[:, -1:]
        drawn = torch.searchsorted(cumulated, wanted, right=True).clamp(max=scores.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)


class StopAtText(StoppingCriteria):
    """Ends a row once its new text has one of some strings.

    Args:
        tokenizer: The tokenizer.
        stop: The strings.
        width: Length of the prompts with what fills them up.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str], width: int) -> None:
        self._tokenizer, self._stop, self._width = tokenizer, tuple(stop), width
        # A token stands for a byte at least: so many tokens at the end hold any of the strings.
        self._tail = max(len(text.encode()) for text in stop) + 4

    def __call__(self, input_ids: Any, scores: Any, **_kwargs: Any) -> Any:
        """Which rows have ended, (rows,)."""
        new = input_ids[:, self._width :][:, -self._tail :]
        texts = self._tokenizer.batch_decode(new, skip_special_tokens=True)
        ended = [any(stop in text for stop in self._stop) for text in texts]
        return torch.tensor(ended, device=input_ids.device)


def cut(text: str, stop: Sequence[str]) -> str:
    """A text up to the first of some strings."""
    return text[: min((place for found in stop if (place := text.find(found)) >= 0), default=len(text))]
