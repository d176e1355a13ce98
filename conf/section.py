"""What all sections of the configuration have in common: what no section takes for a value."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

LARGEST = 2**53
"""Largest whole number of a configuration: above it a JSON reader may round (RFC 8259, section 6)."""

Extended = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]
"""A name that an installed extension may have: what it stands for is known where extensions are."""


class Section(BaseModel):
    """A section: it never changes, and refuses unknown keys, NaN, infinity and yes or no for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        if isinstance(value, bool) and bool not in kinds and kinds & {int, float}:
            raise ValueError(
                f"this key takes a number, and yes, no, true, false, on, off are none; got {value}"
            )
        if isinstance(value, int) and abs(value) > LARGEST:
            raise ValueError(f"whole numbers go from -{LARGEST} to {LARGEST}; give one of these")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """A type and the members of a union, at any depth."""
    return {annotation}.union(*map(_kinds, get_args(annotation)))
