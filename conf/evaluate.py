"""Section `evaluate`: how the model is scored."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section


class EvaluateConfig(Section):
    """The final evaluation on the whole validation split."""

    batch_size: int = Field(32, ge=1, description="Sequences a rank computes at once.")
    examples: int = Field(
        1000,
        ge=1,
        description="Validation examples of a task that the model is asked at most, chosen by the hash of "
        "their ids; a language-model is scored on the whole split.",
    )
    beams: int = Field(4, ge=1, le=64, description="Beams of the search (translation); 1 is greedy.")
