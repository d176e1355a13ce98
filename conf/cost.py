"""Section `cost`: what a run's resources are paid for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from conf.section import Section

Price = Annotated[float, Field(ge=0)]


class CostConfig(Section):
    """Prices, for the money that reports and comparisons show; without any, none is shown."""

    currency: str = Field(
        "USD", pattern=r"^[A-Za-z]{1,8}$", description="What the prices are in, as it is shown."
    )
    cpu_hour: Price | None = Field(None, description="Price of a core for an hour; null: not counted.")
    gpu_hour: Price | None = Field(None, description="Price of a GPU for an hour; null: not counted.")
    gib_read: Price | None = Field(None, description="Price of reading 2^30 bytes; null: not counted.")
    gib_written: Price | None = Field(None, description="Price of writing 2^30 bytes; null: not counted.")
