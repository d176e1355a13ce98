"""A byte-level BPE of a few hundred entries that cuts and pads unless it is told not to."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipelines.tokenize.folder import END_OF_DOCUMENT


@pytest.fixture(scope="package")
def content() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[END_OF_DOCUMENT, "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["def return the value of self " * 9, "end of doc endofdoc"], trainer)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding()
    return tokenizer.to_str()
