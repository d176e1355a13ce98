"""Section `tokenize`: the tokenizer and how texts are encoded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from conf.section import Section


class TokenizeConfig(Section):
    """The tokenizer, how it is trained, and what encodes with it."""

    vocab_size: int = Field(
        4096, ge=257, le=2**20, description="Entries, the 256 bytes and special ones included."
    )
    model: Literal["bpe", "unigram"] = Field("bpe", description="What is trained, over bytes of words.")
    min_frequency: int = Field(2, ge=1, description="Pairs rarer than this are not merged (bpe).")
    special_tokens: tuple[str, ...] = Field(
        (), description="Further special tokens of the vocabulary; no text is ever encoded as one."
    )
    engine: Literal["auto", "tokenizers", "gigatoken"] = Field(
        "auto",
        description="Library that encodes; auto: gigatoken where it proves to give the same ids.",
    )
    sample_bytes: int = Field(
        64 * 2**20,
        ge=1,
        description="UTF-8 bytes of training text the tokenizer is trained on, chosen by hash.",
    )
    distinct_bytes: int = Field(
        16 * 2**20,
        ge=1,
        description="UTF-8 bytes of distinct words after which the sample ends; training takes about 130 "
        "times as much memory.",
    )
    tokenizer: str | None = Field(
        None, description="Folder or tokenizer.json to use instead of training one."
    )
    end_token: str | None = Field(
        None,
        min_length=1,
        description="Token that ends a document in that tokenizer; null: the eos_token of its configuration.",
    )

    @model_validator(mode="after")
    def _distinct_special_tokens(self) -> TokenizeConfig:
        if len(set(self.special_tokens)) < len(self.special_tokens) or "" in self.special_tokens:
            raise ValueError(f"special_tokens = {list(self.special_tokens)} names one twice or an empty one")
        return self
