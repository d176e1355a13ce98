"""Classification: an encoder, or a causal model by its last token, gives a text one of some labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from training.data.reader import Batch
from training.errors import DataError
from training.tasks.micro_batch import Example, MicroBatch, given_tensors, grouped
from training.tasks.task import Task, Tensors

SMALL_BERT = {
    "hidden_size": 192,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
}


class Classification(Task):
    """A model that tells the label of a text.

    Args:
        labels: The labels, by number.
        pad_id: Token that pads.
        smoothing: Share of the training target that is spread over all labels.
        weights: What the loss of each label is multiplied by; None: 1.
    """

    name = "classification"
    kind = "classification"
    is_causal = False
    has_own_head = True
    what = "text classifier"
    pipeline = "text-classification"

    def __init__(
        self,
        labels: Sequence[str],
        pad_id: int,
        smoothing: float = 0.0,
        weights: Sequence[float] | None = None,
    ) -> None:
        self._labels, self._pad_id, self._smoothing = tuple(labels), pad_id, smoothing
        self._weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)

    def default_model(self) -> tuple[str, Mapping[str, Any]]:
        """A small BERT."""
        return "bert", SMALL_BERT

    def filled_in(self, vocab_size: int, length: int, end_id: int | None) -> dict[str, Any]:
        """Vocabulary, length, the token that pads, and the labels."""
        return {
            "vocab_size": vocab_size,
            "max_position_embeddings": length,
            "pad_token_id": self._pad_id,
            **self.head(),
        }

    def head(self) -> dict[str, Any]:
        """The settings of a model's head."""
        return {
            "num_labels": len(self._labels),
            "id2label": dict(enumerate(self._labels)),
            "label2id": {label: number for number, label in enumerate(self._labels)},
            "problem_type": "single_label_classification",
        }

    def prepare(self, model: Any) -> None:
        """Checks that the model has these labels.

        Raises:
            DataError: It has others.
        """
        config = model.config
        found = [config.id2label.get(number) for number in range(config.num_labels)]
        if found != list(self._labels):
            raise DataError(
                f"the {config.model_type!r} model has the labels {found[:10]}, the examples have "
                f"{list(self._labels)[:10]}; give it those by training its head anew"
            )
        if config.pad_token_id is None:
            config.pad_token_id = self._pad_id

    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """Texts of similar length, with as many tokens as `size` rows have."""
        return [self._together(group) for group in grouped(batch, size, alone=alone)]

    def _together(self, group: list[Example]) -> MicroBatch:
        labels = [int(example.learned[0]) for example in group]
        if max(labels) >= len(self._labels):
            raise DataError(
                f"sequence_id {group[0].sequence_id} has label number {max(labels)}, but there are "
                f"{len(self._labels)} labels; tokenize and pack again"
            )
        tensors = given_tensors(group, self._pad_id) | {"labels": torch.tensor(labels)}
        tokens = sum(len(example.given) for example in group)
        return MicroBatch(tensors, len(group), tokens, tensors["input_ids"].numel(), group[0].sequence_id)

    def loss(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum over the texts, smoothed and weighted by label."""
        weights = None if self._weights is None else self._weights.to(tensors["labels"].device)
        return self._sum(model, tensors, self._smoothing, weights)

    def nats(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over the labels."""
        return self._sum(model, tensors, 0.0, None)

    def _sum(
        self, model: Any, tensors: Tensors, smoothing: float, weights: torch.Tensor | None
    ) -> torch.Tensor:
        logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits
        return functional.cross_entropy(
            logits.float(), tensors["labels"], weight=weights, reduction="sum", label_smoothing=smoothing
        )

    def trial(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        """Logits of the labels."""
        found: torch.Tensor = model(input_ids=rows, attention_mask=torch.ones_like(rows)).logits
        return found
