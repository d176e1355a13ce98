"""Answering in chats: the turns of the assistant are learned, each chat for itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from schemas.token_ids import BEGINS, ID_BITS, LEARNED
from training.data.reader import Batch
from training.errors import DataError
from training.models.document_mask import document_inputs, keep_apart
from training.models.loss import IGNORED, count_bytes
from training.tasks.basis import TaskBasis
from training.tasks.language_model import LanguageModel
from training.tasks.micro_batch import MicroBatch
from training.tasks.task import Tensors


class Instruct(LanguageModel):
    """A causal language model that learns what an assistant says.

    Args:
        end_id: Token that ends a document and pads.
        byte_lengths: Bytes of each token, (vocab_size,); None: bytes are not counted.
    """

    name = "instruct"
    what = "chat model"
    use = (
        "It answers in chats in the manner of the chats that it was trained on. It is meant for research, "
        "and for assistants whose answers a person reads and checks."
    )
    limits = (
        "It invents facts, names, numbers and sources, and says them as plainly as true ones.",
        "It imitates the chats that it was trained on. It was not trained to refuse harmful requests, and "
        "a message can lead it away from what an earlier one told it.",
        "It can repeat passages of its training texts word for word, and with them names or other "
        "personal data that cleaning did not find.",
    )

    def __init__(self, end_id: int, byte_lengths: npt.NDArray[np.int64] | None = None) -> None:
        super().__init__(end_id, apart=True, byte_lengths=byte_lengths)

    def prepare(self, model: Any) -> None:
        """Checks that the model keeps chats apart.

        Raises:
            DataError: It does not.
        """
        keep_apart(model, self._end_id)

    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """So many rows each."""
        if batch.input_ids.itemsize < 4:
            raise DataError("the sequences hold no chats; tokenize and pack again with this run file")
        rows = 1 if alone else size
        found = []
        for low in range(0, len(batch.sequence_ids), rows):
            words = torch.from_numpy(batch.input_ids[low : low + rows].astype(np.int64))
            counts = batch.num_tokens[low : low + rows]
            ids = words & ID_BITS
            learned = (words & LEARNED) != 0
            labels = ids.masked_fill(~learned, IGNORED)[:, 1:]
            tensors = {"input_ids": ids[:, :-1], "begins": ((words & BEGINS) != 0)[:, :-1], "labels": labels}
            targets = int((labels != IGNORED).sum())
            first = int(batch.sequence_ids[low])
            found.append(MicroBatch(tensors, targets, int(counts.sum()), ids.numel(), first))
        return found

    def loss(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over what the assistant says."""
        apart = document_inputs(tensors["begins"])
        logits = model(input_ids=tensors["input_ids"], use_cache=False, **apart).logits
        return functional.cross_entropy(
            logits.flatten(0, 1).float(),
            tensors["labels"].flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )

    def num_bytes(self, tensors: Tensors) -> int:
        """Bytes of what the assistant says."""
        return count_bytes(tensors["labels"], self._byte_lengths)


def make(basis: TaskBasis) -> Instruct:
    """The task of a training."""
    return Instruct(basis.end_id, basis.byte_lengths)
