"""Section `mix`: how often each group of documents is packed."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field, model_validator

from conf.section import Section


class MixGroup(Section):
    """Documents of some sources and languages, and their share of the training tokens."""

    name: str = Field(min_length=1, description="Name in table mixed.")
    sources: tuple[str, ...] = Field(
        (), description="Patterns of source: * is any text, ? one character; empty: every source."
    )
    languages: tuple[str, ...] = Field((), description="Languages, ISO 639-1; empty: every language.")
    weight: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Share of the tokens, relative to the other weights."
    )


class MixConfig(Section):
    """How often each training document is packed: weights by source and language, a token budget."""

    groups: tuple[MixGroup, ...] = Field(
        (), max_length=200, description="The first group that fits has the document; empty: no mixing."
    )
    token_budget: int | None = Field(
        None,
        ge=1,
        description="Training tokens, end-of-document tokens included; null: as many as the groups have.",
    )
    max_repeats: float = Field(
        4.0, gt=0, allow_inf_nan=False, description="Most times a group may be seen; more is an error."
    )
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the choice.")

    @model_validator(mode="after")
    def _check(self) -> MixConfig:
        names = [group.name for group in self.groups]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the group {twice[0]!r} is named twice; give each group a name of its own")
        if self.groups and not any(group.weight for group in self.groups):
            raise ValueError("all weights are 0; give at least one group a weight above 0")
        return self

    def shares(self) -> tuple[Fraction, ...]:
        """The share of each group, exactly: decimal fractions are taken at their word."""
        weights = [Fraction(str(group.weight)) for group in self.groups]
        return tuple(weight / sum(weights) for weight in weights)
