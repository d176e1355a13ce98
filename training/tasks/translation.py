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
from training.models.sides import TARGET_FOLDER, TARGET_KEY, decoder_size
from training.tasks.basis import Targets, TaskBasis
from training.tasks.micro_batch import Example, MicroBatch, given_tensors, grouped, padded
from training.tasks.task import TARGETS, TEXTS, Task, Tensors

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
        byte_lengths: Bytes of each token of the targets, (vocab_size,); None: bytes are not counted.
        targets: The vocabulary of targets that have one of their own; None: they have that of the texts.
    """

    name = "translation"
    kind = "seq2seq"
    is_causal = True
    what = "translation model"
    pipeline = "translation"
    use = (
        "It translates a text, from the language of its training texts to that of their targets. It is "
        "meant for a first version that a person who knows both languages reads and corrects."
    )
    limits = (
        "A fluent translation can be wrong: it may leave something out, add something, or turn a sentence "
        "into its opposite, above all with names, numbers and negations.",
        "It translates in one direction only, and each text for itself: what stood before, it does not know.",
        "A score such as BLEU compares words with one right translation; it does not say that the meaning "
        "is kept.",
    )

    def __init__(
        self,
        end_id: int,
        smoothing: float = 0.0,
        byte_lengths: npt.NDArray[np.int64] | None = None,
        targets: Targets | None = None,
    ) -> None:
        self._end_id, self._smoothing, self._targets = end_id, smoothing, targets
        self._target_end_id = end_id if targets is None else targets.end_id
        byte_lengths = byte_lengths if targets is None else targets.byte_lengths
        self._byte_lengths = None if byte_lengths is None else torch.from_numpy(byte_lengths)

    def default_model(self) -> tuple[str, Mapping[str, Any]]:
        """A small Transformer."""
        return "marian", SMALL_MARIAN

    def filled_in(self, vocab_size: int, length: int, end_id: int | None) -> dict[str, Any]:
        """Vocabularies, length, and the token that pads, ends, and starts the decoder."""
        end, targets = self._target_end_id, self._targets
        found: dict[str, Any] = {
            "vocab_size": vocab_size,
            "decoder_vocab_size": vocab_size if targets is None else targets.vocab_size,
            "max_position_embeddings": length,
            # Both embeddings need such a row, and the smaller of two ids is in either vocabulary.
            "pad_token_id": min(self._end_id, end),
            "eos_token_id": end,
            "bos_token_id": end,
            "decoder_start_token_id": end,
            "forced_eos_token_id": None,
        }
        return found if targets is None else found | {"share_encoder_decoder_embeddings": False}

    def vocabularies(self, config: Any, vocab_size: int) -> list[tuple[str, int, int]]:
        """That of the texts, and that of targets which have one of their own."""
        found = super().vocabularies(config, vocab_size)
        own = decoder_size(config.to_dict())
        if self._targets is None:
            return found if own is None else [*found, (TARGETS, own, vocab_size)]
        if own is None:
            raise DataError(
                f"model.pretrained is a {config.model_type!r} model of one vocabulary for both sides "
                f"({config.vocab_size} tokens), but the sequences have {vocab_size} tokens for texts and "
                f"{self._targets.vocab_size} for targets; set task.target_tokenizer to shared, or train from "
                f"scratch"
            )
        return [(TEXTS, *found[0][1:]), (TARGETS, own, self._targets.vocab_size)]

    def prepare(self, model: Any) -> None:
        """Notes how texts are written with it.

        Raises:
            DataError: It names no token that starts its decoder.
        """
        config = model.config
        if self._targets is not None:
            self._part(model)
        if config.decoder_start_token_id is None:
            raise DataError(
                f"a {config.model_type!r} model names no decoder_start_token_id; add it to its config.json"
            )

    def _part(self, model: Any) -> None:
        """Has each side of a model pad with its own token, and its folder tell of both.

        `transformers` knows one padding token for both embeddings, whose row does not learn. A model from
        elsewhere keeps its own.
        """
        if model.config.pad_token_id == min(self._end_id, self._target_end_id):
            model.get_encoder().get_input_embeddings().padding_idx = self._end_id
            model.get_decoder().get_input_embeddings().padding_idx = self._target_end_id
            model.generation_config.pad_token_id = self._target_end_id
        setattr(model.config, TARGET_KEY, TARGET_FOLDER)

    def micro_batches(self, batch: Batch, size: int, *, alone: bool) -> list[MicroBatch]:
        """Pairs of similar length, with as many tokens as `size` rows have."""
        return [self._together(group) for group in grouped(batch, size, alone=alone)]

    def _together(self, group: list[Example]) -> MicroBatch:
        labels = padded([example.learned for example in group], IGNORED)
        if self._targets is not None and int(labels.max()) >= self._targets.vocab_size:
            raise DataError(
                f"sequence_id {group[0].sequence_id} or one beside it has the token id {int(labels.max())} "
                f"in a target, but their tokenizer has {self._targets.vocab_size} entries; tokenize and pack "
                f"again"
            )
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
        before = torch.cat(
            [start, labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, self._target_end_id)], 1
        )
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
        if self._targets is not None:
            rows = rows % self._targets.vocab_size
        found: torch.Tensor = model(input_ids=source, decoder_input_ids=rows, use_cache=False).logits
        return found


def make(basis: TaskBasis) -> Translation:
    """The task of a training."""
    return Translation(basis.end_id, basis.config.label_smoothing, basis.byte_lengths, basis.targets)
