"""Section `pack`: sequences and their files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from conf.section import Section


class PackConfig(Section):
    """Fixed-length sequences in a global shuffle."""

    method: Literal["concat", "best_fit"] = Field(
        "concat",
        description="concat cuts one stream of documents evenly; best_fit cuts no document that fits a "
        "sequence, and pads.",
    )

    sequence_length: int = Field(256, ge=8, le=2**20, description="Tokens in a sequence.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of document order and of the global shuffle.")
    rows_per_group: int = Field(
        256, ge=1, le=2**20, description="Sequences in a Parquet row group: the unit that a reader fetches."
    )
    rows_per_file: int = Field(
        8192,
        ge=1,
        description="Sequences in a file, a multiple of rows_per_group. Both are doubled until a split has "
        "at most 16,384 files.",
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> PackConfig:
        if self.rows_per_file % self.rows_per_group:
            raise ValueError(
                f"rows_per_file = {self.rows_per_file} must be a multiple of rows_per_group = "
                f"{self.rows_per_group}, so that no row group is cut by the end of a file"
            )
        return self
