"""Floating-point operations of a model."""

from __future__ import annotations

from typing import Any

import torch


def flops_per_token(model: Any, sequence_length: int) -> float:
    """Forward and backward operations for one token: 6 N + 12 L H Q T.

    Chowdhery et al., "PaLM" (arXiv 2204.02311), appendix B, without recomputation; the 6 is two operations a
    weight forward and four backward (Kaplan et al., arXiv 2001.08361, section 2.1). N leaves out tables that
    are only looked up, as Kaplan's does: position embeddings, token embeddings not tied to the output.

    Args:
        model: A causal language model of transformers: L layers, H heads of size Q.
        sequence_length: Tokens that a position can attend to, T.
    """
    output = model.get_output_embeddings()
    tied = output.weight if output is not None else None
    looked_up = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding) and module.weight is not tied
    }
    weights = sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in looked_up)
    config = model.config
    layers: int = getattr(config, "num_hidden_layers", 0)
    heads: int = getattr(config, "num_attention_heads", 0)
    size: int = getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else 0)
    return float(6 * weights + 12 * layers * heads * size * sequence_length)
