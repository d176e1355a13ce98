"""Configuration of a mixture: which lakes' sequences are trained on together, and in which proportion."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

from pydantic import Field, model_validator

from conf.section import Section

MAX_CYCLE = 10_000
"""Longest cycle of draws that repeats a mixture exactly. It is held in memory on every rank, 8 bytes a draw
and table; with four decimal digits of a share every mixture fits."""


class MixedLake(Section):
    """Another lake whose training sequences are mixed in."""

    lake: str = Field(min_length=1, description="Folder of the lake.")
    weight: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Its share, relative to the other weights."
    )
    version: int | None = Field(
        None, ge=0, description="Version of its sequences; null: the current one when training starts."
    )
    since: int | None = Field(
        None,
        ge=0,
        description="Only the sequences that were added after this version, as daily batches add them; null: "
        "all. With it the lake may be this one.",
    )

    @model_validator(mode="after")
    def _something_is_added(self) -> MixedLake:
        if self.since is not None and self.version is not None and self.version <= self.since:
            raise ValueError(
                f"version = {self.version} has nothing that was added after since = {self.since}; give a "
                "later version, or leave it out"
            )
        return self


class MixtureConfig(Section):
    """Tables of sequences that are trained on together; a table's share of the draws is its weight's."""

    weight: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="Share of this lake's own sequences, relative to the others.",
    )
    version: int | None = Field(
        None, ge=0, description="Version of this lake's own sequences; null: the current one."
    )
    lakes: tuple[MixedLake, ...] = Field((), description="Lakes to mix in; empty: this lake's alone.")

    @model_validator(mode="after")
    def _check(self) -> MixtureConfig:
        names = [other.lake for other in self.lakes if other.since is None]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"the lake {twice[0]!r} is named twice; name it once, with the sum of its weights"
            )
        self.ratio()
        return self

    def ratio(self) -> tuple[int, ...]:
        """The weights as integers without a common divisor: this lake's own, then those of `lakes` in order.

        Decimal fractions are taken at their word: 0.1 is a tenth.

        Raises:
            ValueError: They add up to more than `MAX_CYCLE`.
        """
        weights = [self.weight, *(other.weight for other in self.lakes)]
        exact = [Fraction(str(weight)) for weight in weights]
        scale = lcm(*(weight.denominator for weight in exact))
        whole = [int(weight * scale) for weight in exact]
        divisor = gcd(*whole)
        found = tuple(weight // divisor for weight in whole)
        if sum(found) > MAX_CYCLE:
            raise ValueError(
                f"the weights {', '.join(f'{weight:g}' for weight in weights)} are "
                f"{':'.join(map(str, found))} in whole numbers, which add up to {sum(found)}, more than "
                f"{MAX_CYCLE}; round them, for example to shares of a thousandth"
            )
        return found
