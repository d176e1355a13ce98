"""Translation, or any text from another: an encoder reads one side, a decoder writes the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from training.data.reader import Batch
from training.errors import DataError
from training.models.loss import IGNORED, count_bytes
from training.tasks.micro_batch import Example, MicroBatch, given_tensors, grouped, padded
from training.tasks.task import Task, Tensors

SMALL_MARIAN = {
    "d_model": 256,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "encoder_ffn_dim": 1024,
    "decoder_ffn_dim": 1024,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "activation_function": "relu",
    "dropout": 0.1,
    "scale_embedding": True,
    "tie_word_embeddings": True,
}
"""The Transformer of Vaswani et al. (2017) with half the layers and half the width of its base model."""


class Translation(Task):
    """An encoder-decoder that turns a text into its target.

    Args:
        end_id: Token that ends a text, pads, and starts the decoder.
        smoothing: Share of the training target that is spread over all tokens.
        byte_lengths: Bytes of each token, (vocab_size,); None: bytes are not counted.
    """

    name = "translation"
    kind = "seq2seq"
    is_causal = True
    what = "translation model"
    pipeline = "translation"

    def __init__(
        self, end_id: int, smoothing: float = 0.0, byte_lengths: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._end_id, self._smoothing = end_id, smoothing
        self._byte_lengths = None if byte_lengths is None else torch.from_numpy(byte_lengths)

    def default_model(self) -> tuple[str, Mapping[str, Any]]:
        """A small Transformer."""
        return "marian", SMALL_MARIAN

    def filled_in(self, vocab_size: int, length: int, end_id: int | None) -> dict[str, Any]:
        """Vocabulary, length, and the token that pads, ends, and starts the decoder."""
        return {
            "vocab_size": vocab_size,
            "decoder_vocab_size": vocab_size,
            "max_position_embeddings": length,
            "pad_token_id": self._end_id,
            "eos_token_id": self._end_id,
            "bos_token_id": self._end_id,
            "decoder_start_token_id": self._end_id,
            "forced_eos_token_id": None,
        }

    def prepare(self, model: Any) -> None:
        """Notes how texts are written with it.

        Raises:
            DataError: It names no token that starts its decoder.
        """
        config = model.config
        if config.decoder_start_token_id is None:
            raise DataError(
                f"a {config.model_type!r} model names no decoder_start_token_id; add it to its config.json"
            )

    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """Pairs of similar length, with as many tokens as `size` rows have."""
        return [self._together(group) for group in grouped(batch, size, alone=alone)]

    def _together(self, group: list[Example]) -> MicroBatch:
        labels = padded([example.learned for example in group], IGNORED)
        tensors = given_tensors(group, self._end_id) | {"labels": labels}
        tokens = sum(example.size for example in group)
        targets = sum(len(example.learned) for example in group)
        cells = tensors["input_ids"].numel() + labels.numel()
        return MicroBatch(tensors, targets, tokens, cells, group[0].sequence_id)

    def loss(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum over the tokens of the targets, smoothed."""
        return self._sum(model, tensors, self._smoothing)

    def nats(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over the tokens of the targets."""
        return self._sum(model, tensors, 0.0)

    def _sum(self, model: Any, tensors: Tensors, smoothing: float) -> torch.Tensor:
        labels = tensors["labels"]
        start = torch.full_like(labels[:, :1], model.config.decoder_start_token_id)
        before = torch.cat([start, labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, self._end_id)], 1)
        logits = model(
            input_ids=tensors["input_ids"],
            attention_mask=tensors["attention_mask"],
            decoder_input_ids=before,
            use_cache=False,
        ).logits
        return functional.cross_entropy(
            logits.flatten(0, 1).float(),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=smoothing,
        )

    def num_bytes(self, tensors: Tensors) -> int:
        """Bytes of the targets."""
        return count_bytes(tensors["labels"], self._byte_lengths)

    def trial(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        """Logits of every position of the decoder, for a source that is the same in all rows."""
        source = rows[:1, :1].expand(len(rows), 4)
        found: torch.Tensor = model(input_ids=source, decoder_input_ids=rows, use_cache=False).logits
        return found
