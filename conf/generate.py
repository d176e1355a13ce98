"""Section `generate`: prompts and how they are continued."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from conf.section import Section

MIN_TEMPERATURE = 1e-3
"""Least temperature above 0: logits of thousands divided by it stay far below the largest float32."""


class GenerateConfig(Section):
    """Sample generations for the report and the defaults of `ringlake generate`."""

    prompts: tuple[str, ...] = Field(
        ("Return the", "This module provides", "Raises a ValueError if", "Parameters\n----------\n"),
        description="Texts that the model continues, one sample each.",
    )
    max_new_tokens: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Tokens to write; null: 60, or half of what a shorter model takes.",
    )
    temperature: float = Field(
        0.8,
        ge=0,
        le=1000,
        description="0 picks the likeliest token; else at least 0.001, higher: more varied.",
    )
    top_p: float = Field(
        0.95, gt=0, le=1, description="Share of probability that is sampled from, the likeliest tokens first."
    )
    top_k: int = Field(
        0, ge=0, le=10_000_000, description="Tokens that are sampled from, the likeliest first; 0: all."
    )
    repetition_penalty: float = Field(
        1.0,
        gt=0,
        le=100,
        description="Divides the logits of tokens that are there already; 1: none, more: fewer repetitions.",
    )
    beams: int = Field(
        1,
        ge=1,
        le=64,
        description="Continuations that are followed at once; the likeliest one wins. Needs temperature 0.",
    )
    stop: tuple[str, ...] = Field((), description="Texts before the first of which a continuation ends.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the samples; equal seeds give equal texts.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if 0 < self.temperature < MIN_TEMPERATURE:
            raise ValueError(
                f"temperature = {self.temperature:g} is below {MIN_TEMPERATURE}, and float32 cannot hold "
                f"what it makes of the logits; set it to 0, which takes the likeliest token"
            )
        if self.beams > 1 and self.temperature > 0:
            raise ValueError(
                f"beams = {self.beams} searches for the likeliest text, and temperature = "
                f"{self.temperature:g} draws one; set temperature to 0, or beams to 1"
            )
        if not all(self.stop):
            raise ValueError("stop has an empty text, before which every continuation ends; leave it out")
        return self
