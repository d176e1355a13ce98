"""Question answering: an encoder tells with which token of its context an answer begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from training.data.reader import Batch
from training.errors import DataError
from training.tasks.classification import SMALL_BERT
from training.tasks.micro_batch import Example, MicroBatch, given_tensors, grouped
from training.tasks.task import Task, Tensors


class QuestionAnswering(Task):
    """A model that finds an answer in a context (Devlin et al., "BERT", NAACL 2019, section 4.2).

    Where there is none in a window, its first token stands for that (section 4.3).

    Args:
        pad_id: Token that pads.
        no_answer: Whether a question may have no answer.
        smoothing: Share of the training target that is spread over all tokens of a window.
    """

    name = "question-answering"
    kind = "question-answering"
    is_causal = False
    has_own_head = True
    what = "model that answers questions"
    pipeline = "question-answering"

    def __init__(self, pad_id: int, *, no_answer: bool = False, smoothing: float = 0.0) -> None:
        self._pad_id, self._no_answer, self._smoothing = pad_id, no_answer, smoothing

    def default_model(self) -> tuple[str, Mapping[str, Any]]:
        """A small BERT."""
        return "bert", SMALL_BERT

    def filled_in(self, vocab_size: int, length: int, end_id: int | None) -> dict[str, Any]:
        """Vocabulary, length and the token that pads."""
        return {
            "vocab_size": vocab_size,
            "max_position_embeddings": length,
            "pad_token_id": self._pad_id,
        }

    def prepare(self, model: Any) -> None:
        """Notes in the model's configuration whether a question may have no answer.

        Raises:
            DataError: The model does not tell a beginning and an end.
        """
        config = model.config
        if config.num_labels != 2:
            raise DataError(
                f"the {config.model_type!r} model tells {config.num_labels} numbers a token, and an answer "
                f"has a beginning and an end; set model.config.num_labels to 2"
            )
        config.no_answer = self._no_answer
        if config.pad_token_id is None:
            config.pad_token_id = self._pad_id

    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """Windows of similar length, with as many tokens as `size` rows have."""
        return [self._together(group) for group in grouped(batch, size, alone=alone)]

    def _together(self, group: list[Example]) -> MicroBatch:
        for example in group:
            places = example.learned
            if len(places) != 2 or not 0 <= places[0] <= places[1] < len(example.given):
                raise DataError(
                    f"sequence_id {example.sequence_id} has a window of {len(example.given)} tokens whose "
                    f"answer is at {places.tolist()}; tokenize and pack again with this run file"
                )
        tensors = given_tensors(group, self._pad_id)
        tensors["places"] = torch.tensor([example.learned.tolist() for example in group])
        tokens = sum(len(example.given) for example in group)
        # Each window has two targets, its beginning and its end.
        targets = 2 * len(group)
        return MicroBatch(tensors, targets, tokens, tensors["input_ids"].numel(), group[0].sequence_id)

    def loss(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over beginnings and ends, smoothed."""
        return self._sum(model, tensors, self._smoothing)

    def nats(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over beginnings and ends."""
        return self._sum(model, tensors, 0.0)

    def _sum(self, model: Any, tensors: Tensors, smoothing: float) -> torch.Tensor:
        made = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"])
        padding = tensors["attention_mask"] == 0
        total = torch.zeros((), device=padding.device)
        for logits, places in zip((made.start_logits, made.end_logits), tensors["places"].T, strict=True):
            # What is no token of the window has no probability, whatever other windows are beside it.
            logs = functional.log_softmax(logits.float().masked_fill(padding, -torch.inf), dim=-1)
            right = logs.gather(1, places[:, None]).sum()
            if smoothing:
                each = (logs.masked_fill(padding, 0.0).sum(1) / (~padding).sum(1)).sum()
                right = (1 - smoothing) * right + smoothing * each
            total = total - right
        return total

    def trial(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        """Logits of the beginnings."""
        found: torch.Tensor = model(input_ids=rows, attention_mask=torch.ones_like(rows)).start_logits
        return found
