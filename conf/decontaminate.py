"""Section `decontaminate`: evaluation sets that the corpus must not hold."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from conf.section import Section


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
