"""Section `evaluate`: how the model is scored."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section


class EvaluateConfig(Section):
    """The final evaluation on the whole validation split."""

    batch_size: int = Field(32, ge=1, description="Sequences a rank computes at once.")
    beams: int = Field(4, ge=1, le=64, description="Beams of the search (translation); 1 is greedy.")
