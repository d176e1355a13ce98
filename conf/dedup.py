"""Section `dedup`: what counts as a duplicate, and the split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from conf.section import Section


class DedupConfig(Section):
    """Exact and near deduplication, and the split."""

    url: bool = Field(
        False, description="Documents of one web address are duplicates too, whatever their texts say."
    )
    method: Literal["exact", "minhash"] = Field(
        "minhash",
        description="exact: equal texts are duplicates; minhash: also texts that share most shingles.",
    )
    unit: Literal["words", "characters"] = Field("words", description="What a shingle is made of.")
    ngram: int = Field(5, ge=1, le=50, description="Words, or characters, in a shingle.")
    bands: int = Field(14, ge=1, le=256, description="LSH bands (buckets a document falls into).")
    rows: int = Field(8, ge=1, le=64, description="MinHash values in a band.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the MinHash permutations.")
    verify_threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Least true Jaccard similarity of two documents of a bucket; null: a bucket is enough.",
    )
    keep: Literal["longest", "first"] = Field(
        "longest",
        description="Who stays of a cluster: the longest text, or the first by source; then by doc_id.",
    )
    history: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL of the signatures of earlier batches, which this one is compared with and "
        "added to; null: the documents are compared with one another only.",
    )
    batch: str | None = Field(
        None, min_length=1, description="Name of this batch in the history; null: the lake's path or URL."
    )
    max_rounds: int = Field(50, ge=1, description="Limit of connected-components rounds; more is an error.")
    validation_fraction: float = Field(0.02, ge=0, lt=1, description="Share of documents held out, by hash.")
    split_seed: int = Field(1, ge=0, lt=2**32, description="Seed of the split.")

    @model_validator(mode="after")
    def _verifiable(self) -> DedupConfig:
        if self.verify_threshold is not None and self.history is not None:
            raise ValueError(
                f"verify_threshold = {self.verify_threshold} needs the texts of both documents, and "
                f"history = {self.history!r} keeps signatures only; leave one of them out"
            )
        return self
