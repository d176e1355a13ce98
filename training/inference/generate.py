"""Texts that a causal model writes: batches of prompts and chats, draws, beams, stop strings, streaming."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteriaList

from conf.generate import GenerateConfig
from training.errors import DataError
from training.inference.batches import padded, plan
from training.inference.draws import StopAtText, cut, draws, processors
from training.inference.folder import open_model
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Predictor, Refusal, Row
from training.inference.prompts import ends, prompt_ids
from training.inference.stream import Stream

DEFAULT_NEW_TOKENS = 60
"""Tokens that a text has where neither the configuration nor the model's length says fewer."""


@dataclass(frozen=True)
class _Prompt:
    row: int
    ids: list[int]
    key: str


class Writer(Predictor):
    """Continues prompts and answers chats.

    If prompt and continuation exceed the model's length, the beginning of the prompt is left out. Drawn
    tokens are a function of the seed, the row's id and its prompt: the same row has the same text in any
    batch, and rows of one prompt with different ids have texts of their own.

    Args:
        model_dir: Model folder.
        options: How it is used; `options.generate` is what counts.

    Raises:
        DataError: Besides those of `open_model`: there is no room for as many new tokens.
    """

    def __init__(self, model_dir: str, options: Options) -> None:
        self._opened = open_model("generate", model_dir, options)
        self._options = options
        model = self._opened.model
        self._ends = ends(self._opened)
        self._pad = self._ends[0] if self._ends else 0
        # How a text is drawn is told here alone: the model's own defaults would join in.
        model.generation_config = GenerationConfig(
            eos_token_id=self._ends or None, pad_token_id=self._pad, bos_token_id=None
        )
        self._take(options.generate)

    def using(self, config: GenerateConfig) -> Writer:
        """The same opened model with other settings; DataError as when a model is opened."""
        other = copy.copy(self)
        other._take(config)
        return other

    def _take(self, config: GenerateConfig) -> None:
        longest = self._longest
        self._config = config
        self._num_new = config.max_new_tokens or max(1, min(DEFAULT_NEW_TOKENS, longest // 2))
        self._room = longest - self._num_new
        if self._room < 1:
            raise DataError(
                f"generate.max_new_tokens = {self._num_new} leaves no room for a prompt: the model takes "
                f"{longest} tokens in all"
            )

    @property
    def num_new_tokens(self) -> int:
        """Most tokens that a text has."""
        return self._num_new

    @property
    def most_new_tokens(self) -> int:
        """Most tokens that a text could be set to have: one place is left for a prompt."""
        return self._longest - 1

    @property
    def _longest(self) -> int:
        return int(getattr(self._opened.model.config, "max_position_embeddings", 2**20))

    @property
    def chats(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(getattr(self._opened.tokenizer, "chat_template", None))

    def predict(self, rows: Sequence[Row]) -> list[Outcome]:
        """See `Predictor.predict`; a row has a `prompt` or `messages`, and may have an `id`."""
        outcomes: dict[int, Outcome] = {}
        prompts = []
        for number, row in enumerate(rows):
            found = self._prompt(number, row)
            if isinstance(found, Refusal):
                outcomes[number] = found
            else:
                prompts.append(found)
        costs = [(len(prompt.ids) + self._num_new) * self._config.beams for prompt in prompts]
        for batch in plan(costs, self._options.batch_tokens):
            members = [prompts[place] for place in batch]
            for prompt, text in zip(members, self._texts(members), strict=True):
                outcomes[prompt.row] = Prediction(text)
        return [outcomes[number] for number in range(len(rows))]

    def stream(self, row: Row, tell: Callable[[str], None]) -> Outcome:
        """What becomes of one row, its text told piece by piece as it is written.

        Args:
            row: The row.
            tell: Is given each piece.

        Raises:
            DataError: Beams are asked for, whose text is only known at the end.
        """
        if self._config.beams > 1:
            raise DataError(f"beams = {self._config.beams}: a text can be streamed with beams = 1 only")
        prompt = self._prompt(0, row)
        if isinstance(prompt, Refusal):
            return prompt
        stream = Stream(self._opened.tokenizer, self._config.stop, tell)
        text = self._texts([prompt], stream)[0]
        return Prediction(text)

    def _prompt(self, number: int, row: Row) -> _Prompt | Refusal:
        ids = prompt_ids(self._opened, row)
        if isinstance(ids, Refusal):
            return ids
        key = json.dumps([row.get("id"), ids], default=str)
        return _Prompt(number, ids[-self._room :], hashlib.sha256(key.encode()).hexdigest())

    def _texts(self, prompts: Sequence[_Prompt], stream: Stream | None = None) -> list[str]:
        """What is written after each prompt of a batch."""
        config, opened = self._config, self._opened
        ids, mask = padded([item.ids for item in prompts], self._pad, left=True, device=opened.model.device)
        width = ids.shape[1]
        uniform = [draws(config.seed, item.key, self._num_new) for item in prompts if config.temperature > 0]
        more: dict[str, Any] = {}
        if config.stop:
            more["stopping_criteria"] = StoppingCriteriaList(
                [StopAtText(opened.tokenizer, config.stop, width)]
            )
        if stream is not None:
            more["streamer"] = stream
        with torch.inference_mode():
            made = opened.model.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                num_beams=config.beams,
                max_new_tokens=self._num_new,
                logits_processor=processors(config, mask, uniform),
                **more,
            )
        texts = opened.tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)
        return [cut(str(text), config.stop) for text in texts]
