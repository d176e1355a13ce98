"""What training asks of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch

from training.data.reader import Batch
from training.tasks.micro_batch import MicroBatch

Kind = Literal[
    "causal", "seq2seq", "masked", "classification", "token-classification", "question-answering", "base"
]
"""Which head of transformers a model has: the auto class that opens it."""

AUTO_CLASS: dict[Kind, str] = {
    "causal": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "masked": "AutoModelForMaskedLM",
    "classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "base": "AutoModel",
}
"""The classes of transformers by that head."""

TEXTS, TARGETS = "texts", "targets"
"""The sides of pairs that have a vocabulary each."""

Tensors = dict[str, torch.Tensor]


class Task(ABC):
    """How the sequences of a task are computed, and what is learned from them.

    What a task says of an example depends on nothing but the example, and its loss is a sum over examples:
    so any number of ranks computes what one does.

    Attributes:
        name: What `task.name` calls it.
        kind: The head that its models have.
        is_causal: Whether its models may not look at later tokens of what they are to give.
        what: A model of it, in words.
        pipeline: The name of transformers' pipeline for such models.
        padding_side: Where texts are padded for such models.
        needs_whole_rows: Whether a model is given whole sequences, not their examples one by one.
        has_own_head: Whether a pre-trained model gets a head of its own for it, which is made anew.
        use: What its models are meant for, in sentences for their README; empty: nothing but what the
            declaration of the task says.
        limits: What has to be known before one is used, likewise.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    is_causal: ClassVar[bool]
    what: ClassVar[str]
    pipeline: ClassVar[str]
    padding_side: ClassVar[Literal["left", "right"]] = "right"
    needs_whole_rows: ClassVar[bool] = False
    has_own_head: ClassVar[bool] = False
    use: ClassVar[str] = ""
    limits: ClassVar[tuple[str, ...]] = ()

    def architecture(self, name: str | None, given: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
        """The architecture and its settings, those of a small model of this task where a name is missing."""
        own_name, own = self.default_model()
        if name in (None, own_name):
            return own_name, dict(own if given is None else given)
        return str(name), dict(given or {})

    @abstractmethod
    def default_model(self) -> tuple[str, Mapping[str, Any]]:
        """Architecture and settings of the small model that is trained where a run file names none."""

    @abstractmethod
    def filled_in(self, vocab_size: int, length: int, end_id: int | None) -> dict[str, Any]:
        """The settings of an architecture that follow from the data.

        Args:
            vocab_size: Entries of the tokenizer.
            length: Tokens in a sequence.
            end_id: Id of the token that ends a document and pads.
        """

    def vocabularies(self, config: Any, vocab_size: int) -> list[tuple[str, int, int]]:
        """What a pre-trained model must know at least, side by side.

        Args:
            config: Configuration of the model (transformers).
            vocab_size: Entries of the tokenizer.

        Returns:
            Of each vocabulary: whose it is, empty if there is one for all; entries that the model knows;
            entries of its tokenizer.
        """
        return [("", config.vocab_size, vocab_size)]

    def head(self) -> dict[str, Any]:
        """The settings of a head that a pre-trained model gets for this task."""
        return {}

    @abstractmethod
    def prepare(self, model: Any) -> None:
        """Checks that a model can learn the task, and notes in its configuration what it will be asked for.

        Raises:
            DataError: It cannot.
        """

    @abstractmethod
    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """A rank's part of a batch in the parts that are computed at once.

        Args:
            batch: The rows.
            size: Most rows, or as many tokens as these have.
            alone: Whether no part may have examples of two rows: what a model draws is drawn a row.
        """

    @abstractmethod
    def loss(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """What is minimised: a float32 scalar with gradient, a sum over the targets."""

    def nats(self, model: Any, tensors: Tensors) -> torch.Tensor:
        """Sum of -ln p over the targets, without smoothing and weights."""
        return self.loss(model, tensors)

    def num_bytes(self, tensors: Tensors) -> int:
        """UTF-8 bytes that the targets stand for; 0 where they are no text or it is not known."""
        return 0

    @abstractmethod
    def trial(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        """Logits for rows of token ids, int64 (rows, tokens); first axis: the rows."""
