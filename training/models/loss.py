"""The loss, in one place for training, validation and evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from training.models.document_mask import document_inputs

IGNORED = -100


def shift_targets(input_ids: torch.Tensor, num_tokens: torch.Tensor) -> torch.Tensor:
    """The targets of positions 0..L-2: the next token, or IGNORED where that is padding.

    Args:
        input_ids: Token ids, int64 (rows, L).
        num_tokens: Tokens of each row that are no padding, (rows,).

    Returns:
        int64 (rows, L-1). The targets of a row are its positions 1 to num_tokens - 1.
    """
    targets = input_ids[:, 1:]
    positions = torch.arange(1, input_ids.shape[1], device=input_ids.device)
    return targets.masked_fill(positions[None, :] >= num_tokens[:, None], IGNORED)


def sum_nats(
    model: Any, input_ids: torch.Tensor, targets: torch.Tensor, document_end: int | None = None
) -> torch.Tensor:
    """Sum of -ln p over the targets, a float32 scalar with gradient.

    Args:
        model: A causal language model of transformers.
        input_ids: int64 (rows, L).
        targets: int64 (rows, L-1), from `shift_targets`.
        document_end: Id of the token that ends a document, to keep documents apart (see `document_mask`);
            None lets attention cross them.
    """
    given = input_ids[:, :-1]
    apart = {} if document_end is None else document_inputs(given == document_end)
    logits = model(input_ids=given, use_cache=False, **apart).logits
    return functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def count_bytes(targets: torch.Tensor, byte_lengths: torch.Tensor | None) -> int:
    """UTF-8 bytes that targets stand for, those that are IGNORED left out.

    Args:
        targets: Token ids, int64 of any shape.
        byte_lengths: Bytes of each token, (vocab_size,); None: they are not known, the result is 0.
    """
    if byte_lengths is None:
        return 0
    return int(byte_lengths.to(targets.device)[targets[targets != IGNORED]].sum())
