"""Mixed precision: what the model computes in, and the loss scale that float16 needs."""

from __future__ import annotations

import contextlib
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

INITIAL_SCALE = 2.0**16
GROWTH_INTERVAL = 2000
"""Start of the loss scale, and clean steps before it is doubled: torch.amp.GradScaler's defaults, after
Micikevicius et al., "Mixed Precision Training" (ICLR 2018), section 3.2."""

SMALLEST_SCALE = 2.0**-10
"""A gradient that overflows even with this scale is not float16's fault."""


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward pass; weights and gradients stay in float32.

    Args:
        precision: 'fp32', 'bf16' or 'fp16'.
        device: Where the model is.
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


@dataclass
class LossScale:
    """The factor on the loss that keeps float16 gradients above the smallest float16; 1 otherwise.

    Every rank sees the same norm of the summed gradients and so keeps the same scale without asking.

    Attributes:
        scale: The factor, a power of two.
        clean_steps: Steps since it last changed.
    """

    scale: float = 1.0
    clean_steps: int = 0

    @classmethod
    def of(cls, precision: str) -> LossScale:
        """Where a training of that precision starts."""
        return cls(INITIAL_SCALE if precision == "fp16" else 1.0)

    def note(self, norm: float) -> bool:
        """Take the norm of a step's gradients; returns whether the step is to be left out.

        Only with 'fp16': an overflow halves the scale and leaves the step out, `GROWTH_INTERVAL` clean steps
        double it.
        """
        if math.isfinite(norm):
            self.clean_steps += 1
            if self.clean_steps == GROWTH_INTERVAL:
                self.scale, self.clean_steps = self.scale * 2, 0
            return False
        if self.scale <= SMALLEST_SCALE:
            return False
        self.scale, self.clean_steps = self.scale / 2, 0
        return True
