"""Section `card`: what the dataset card says."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section


class CardConfig(Section):
    """What the dataset card says besides what the tables say."""

    license: str | None = Field(
        None, min_length=1, description="Licence of the corpus, e.g. cc-by-4.0; set: a run writes the card."
    )
    contact: str | None = Field(None, min_length=1, description="Who answers questions about it.")
    description: str | None = Field(None, min_length=1, description="A paragraph about the corpus.")
    max_rows: int = Field(50, ge=1, le=10_000, description="Most rows of a table of the card.")
