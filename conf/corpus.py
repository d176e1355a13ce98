"""Configuration of the optional parts of the data side: repeats, decontaminate, mix, card."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from conf.section import Section


class RepeatsConfig(Section):
    """Lines or paragraphs that many documents share and that are dropped from them."""

    unit: Literal["line", "paragraph"] | None = Field(
        None, description="What is counted and dropped; null: a run leaves the stage out."
    )
    min_documents: int = Field(
        7, ge=2, description="Documents a unit occurs in before it is dropped; 7 as in Llama 3."
    )
    min_words: int = Field(5, ge=1, description="Units of fewer words are never dropped.")
    keep: Literal["first", "none"] = Field(
        "first", description="first: a unit stays in the document with the smallest doc_id; none: nowhere."
    )
    min_document_words: int = Field(
        1, ge=1, description="A document that lost units and has fewer words left goes to table emptied."
    )
    max_units: int = Field(
        4_000_000,
        ge=1,
        le=2**27,
        description="Most units dropped, 20 bytes each in every Python worker; where more qualify, "
        "min_documents is raised until they fit.",
    )


class EvalSet(Section):
    """One evaluation set: a file and what of it is text."""

    path: str = Field(
        min_length=1, description="JSONL, TSV, txt, SQuAD JSON; .gz, .zst, .bz2, .xz, .lz4 too."
    )
    name: str | None = Field(None, min_length=1, description="Name in tables; null: the file's name.")
    fields: tuple[str, ...] = Field(
        (), description="Fields with text: names, or numbers from 1 for a TSV without header; empty: all."
    )
    id_field: str = Field("id", min_length=1, description="Field with the item's id; else its number.")


class DecontaminateConfig(Section):
    """Documents that overlap evaluation sets and leave the corpus."""

    sets: tuple[EvalSet, ...] = Field((), description="Evaluation sets or paths; empty: nothing is compared.")
    ngram: int = Field(13, ge=2, le=100, description="Words in an n-gram; 13 as in GPT-3.")
    min_item_words: int = Field(
        8,
        ge=2,
        description="An eval text shorter than ngram is looked for as a whole if it has so many words, else "
        "not at all; 8 as in GPT-3.",
    )
    min_ngrams: int = Field(1, ge=1, description="Shared n-grams a document needs to be contaminated.")
    min_share: float = Field(
        0.0, ge=0, le=1, description="Share of its n-grams that must be shared besides; 0: any."
    )
    max_file_bytes: int = Field(
        256 * 2**20, ge=1, description="Largest (decompressed) evaluation file in bytes."
    )
    max_ngrams: int = Field(
        20_000_000, ge=1, le=2**28, description="Most n-grams of all sets, 16 bytes each in every worker."
    )

    @field_validator("sets", mode="before")
    @classmethod
    def _paths(cls, given: Any) -> Any:
        if isinstance(given, (list, tuple)):
            return [{"path": item} if isinstance(item, str) else item for item in given]
        return given


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


class CardConfig(Section):
    """What the dataset card says besides what the tables say."""

    license: str | None = Field(
        None, min_length=1, description="Licence of the corpus, e.g. cc-by-4.0; set: a run writes the card."
    )
    contact: str | None = Field(None, min_length=1, description="Who answers questions about it.")
    description: str | None = Field(None, min_length=1, description="A paragraph about the corpus.")
    max_rows: int = Field(50, ge=1, le=10_000, description="Most rows of a table of the card.")
