"""Attention that does not cross documents, and positions that restart with each.

In a packed sequence a document is preceded by the end-of-document token of the one before, which serves as
its start, as the prompt does in generation: the first thing that a group of positions sees is that token, and
its own end-of-document token begins the next group. What is predicted within a group depends on it alone
(Ding et al., arXiv 2404.10830, and Zhao et al., "Analysing the Impact of Sequence Composition on Language
Model Pre-Training", arXiv 2402.13991, intra-document causal masking).
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

from training.errors import DataError


def document_inputs(begins: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a model of transformers is given besides the token ids.

    Args:
        begins: bool (rows, L): where a group begins, for a language model at each end-of-document token.

    Returns:
        position_ids, int64 (rows, L): places since the last beginning, which has place 0;
        attention_mask, bool (rows, 1, L, L): True where the position (third) may look at another (fourth).
    """
    places = torch.arange(begins.shape[1], device=begins.device)
    group = begins.cumsum(dim=1)
    start = torch.where(begins, places, torch.zeros_like(places)).cummax(dim=1).values
    same = group[:, :, None] == group[:, None, :]
    causal = places[:, None] >= places[None, :]
    return {"position_ids": places - start, "attention_mask": (same & causal)[:, None]}


def keep_apart(model: Any, end_id: int | None) -> None:
    """Note in a model's configuration, which stays with it, that it is trained on documents apart.

    Args:
        model: A causal language model of transformers.
        end_id: Id of the end-of-document token.

    Raises:
        DataError: There is no such token, or the model cannot keep documents apart.
    """
    if end_id is None:
        raise DataError(
            "train.document_mask: the tokenizer names no token that ends a document; set it to false"
        )
    check_obeys(model, end_id)
    model.config.document_mask = True


def let_cross(model: Any) -> None:
    """Note that a model is trained on whole sequences, whatever the training that it starts from was told."""
    if getattr(model.config, "document_mask", False):
        model.config.document_mask = False


def keeps_apart(model: Any) -> bool:
    """Whether a model was trained on documents apart; only what `keep_apart` notes counts."""
    return getattr(model.config, "document_mask", False) is True


def check_obeys(model: Any, end_id: int) -> None:
    """DataError unless what a model says of a document is the same beside any other; it is tried out.

    Args:
        model: A causal language model of transformers.
        end_id: Id of the end-of-document token.
    """
    kind = model.config.model_type
    missing = {"position_ids", "attention_mask"} - inspect.signature(model.forward).parameters.keys()
    if not missing:
        device = next(model.parameters()).device
        others = [token for token in range(4) if token != end_id][:3]
        first, second, third = (token % model.config.vocab_size for token in others)
        rows = torch.tensor(
            [[first, second, end_id, third, first], [second, third, end_id, third, first]], device=device
        )
        was_training = model.training
        model.eval()
        with torch.no_grad():
            logits = model(input_ids=rows, use_cache=False, **document_inputs(rows == end_id)).logits[:, 2:]
        model.train(was_training)
        if torch.allclose(logits[0], logits[1], rtol=1e-4, atol=1e-5):
            return
    raise DataError(
        f"train.document_mask: a {kind!r} model does not keep documents apart by position_ids and a mask of "
        f"four dimensions; set it to false, or take an architecture that does, for example llama"
    )
