"""Language modelling: each token from those before it, in a sequence of documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from conf.task import TaskName
from training.data.reader import Batch
from training.models.document_mask import keep_apart, let_cross
from training.models.loss import count_bytes, shift_targets, sum_nats
from training.tasks.micro_batch import MicroBatch
from training.tasks.task import Task, Tensors

SMALL_LLAMA = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "tie_word_embeddings": True,
}


class LanguageModel(Task):
    """A causal language model.

    Args:
        end_id: Token that ends a document.
        apart: Whether attention must not cross documents.
        byte_lengths: Bytes of each token, (vocab_size,); None: bytes are not counted.
    """

    name: ClassVar[TaskName] = "language-model"
    kind = "causal"
    is_causal = True
    what = "language model"
    pipeline = "text-generation"
    padding_side = "left"
    needs_whole_rows = True

    def __init__(
        self, end_id: int | None, *, apart: bool, byte_lengths: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._end_id, self._apart = end_id, apart
        self._byte_lengths = None if byte_lengths is None else torch.from_numpy(byte_lengths)

    def default_model(self) -> tuple[str, Mapping[str, Any]]:
        """A llama of two million weights and an embedding."""
        return "llama", SMALL_LLAMA

    def filled_in(self, vocab_size: int, length: int, end_id: int | None) -> dict[str, Any]:
        """Vocabulary, length and the token that ends a document."""
        return {
            "vocab_size": vocab_size,
            "max_position_embeddings": length,
            "bos_token_id": end_id,
            "eos_token_id": end_id,
        }

    def prepare(self, model: Any) -> None:
        """Notes whether documents are kept apart.

        Raises:
            DataError: They are to be, and the model cannot or there is no token that ends one.
        """
        if self._apart:
            keep_apart(model, self._end_id)
        else:
            let_cross(model)

    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """So many rows each."""
        rows = 1 if alone else size
        found = []
        for low in range(0, len(batch.sequence_ids), rows):
            ids, counts = batch.input_ids[low : low + rows], batch.num_tokens[low : low + rows]
            tensors = {
                "input_ids": torch.from_numpy(ids.astype(np.int64)),
                "num_tokens": torch.from_numpy(counts.astype(np.int64)),
            }
            tokens = int(counts.sum())
            first = int(batch.sequence_ids[low])
            found.append(MicroBatch(tensors, tokens - len(counts), tokens, ids.size, first))
        return found

    def loss(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over all tokens but the first of each row."""
        ids = tensors["input_ids"]
        targets = shift_targets(ids, tensors["num_tokens"])
        return sum_nats(model, ids, targets, self._end_id if self._apart else None)

    def num_bytes(self, tensors: Tensors) -> int:
        """Bytes of the targets."""
        targets = shift_targets(tensors["input_ids"], tensors["num_tokens"])
        return count_bytes(targets, self._byte_lengths)

    def trial(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        """Logits of every position."""
        found: torch.Tensor = model(input_ids=rows, use_cache=False).logits
        return found
