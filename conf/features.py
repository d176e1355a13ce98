"""Configuration of the features stage: words, TF-IDF and word vectors by Spark ML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.section import Section


class FeaturesConfig(Section):
    """Stop words, TF-IDF and vectors of the corpus, for those who want them."""

    enabled: bool = Field(False, description="Whether a whole run has this stage.")
    stop_words: tuple[str, ...] = Field(
        ("english",), description="Languages whose stop words are left out: names of Spark ML's lists."
    )
    extra_stop_words: tuple[str, ...] = Field((), description="Further words to leave out, in lower case.")
    vocabulary_size: int = Field(20_000, ge=1, le=2**24, description="Terms of TF-IDF, the most frequent.")
    min_documents: int = Field(2, ge=1, lt=2**31, description="Documents that a term must occur in.")
    unit: Literal["words", "tokens"] = Field(
        "words",
        description="What gets a vector; tokens: the tokenizer's ids, whose vectors can initialise a model.",
    )
    vector_size: int = Field(
        100, ge=1, le=16_384, description="Numbers in a vector; a model's hidden_size to initialise it."
    )
    window: int = Field(5, ge=1, le=1000, description="Words on each side that a vector predicts.")
    min_count: int = Field(
        5, ge=1, lt=2**31, description="Occurrences that a word or token needs to get a vector."
    )
    iterations: int = Field(1, ge=1, le=10_000, description="Passes over the corpus.")
    partitions: int = Field(
        1, ge=1, le=2**20, description="Tasks that train vectors; only 1 gives the same vectors on every run."
    )
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the vectors.")
