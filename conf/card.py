"""Section `card`: what the dataset card and the model's README say besides what tables and runs say."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from conf.section import Section

OTHER = "other"
"""What model hubs call a licence that is not on their list; it then has a name."""


class CardConfig(Section):
    """What the dataset card and the README of the model say besides what the tables and the runs say."""

    license: str | None = Field(
        None, min_length=1, description="Licence of the corpus, e.g. cc-by-4.0; set: a run writes the card."
    )
    contact: str | None = Field(None, min_length=1, description="Who answers questions about it.")
    description: str | None = Field(None, min_length=1, description="A paragraph about the corpus.")
    max_rows: int = Field(50, ge=1, le=10_000, description="Most rows of a table of the card.")
    model_license: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$",
        description="Licence of the model: an identifier of the SPDX list, e.g. Apache-2.0, or other, which "
        "model_license_name names; null: the model's README says that none is stated.",
    )
    model_license_name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name of a model's licence that is not on the SPDX list, with model_license other.",
    )

    @model_validator(mode="after")
    def _licence_has_one_name(self) -> Self:
        name = self.model_license_name
        if self.model_license == OTHER and name is None:
            raise ValueError(
                "model_license = 'other' says no licence; name it in model_license_name, or give an SPDX "
                "identifier such as Apache-2.0"
            )
        if self.model_license != OTHER and name is not None:
            raise ValueError(
                f"model_license_name = {name!r} is for model_license = 'other', and that is "
                f"{self.model_license!r}; set it to 'other', or leave the name out"
            )
        return self
