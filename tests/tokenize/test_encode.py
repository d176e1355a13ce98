"""Encoding in Arrow batches: special tokens in a text stay text, slices change nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipelines.tokenize import stage
from pipelines.tokenize.folder import END_OF_DOCUMENT
from pipelines.tokenize.stage import encode, plain_tokenizer


@pytest.fixture(scope="module")
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


HOSTILE = st.one_of(st.text(), st.sampled_from([END_OF_DOCUMENT, "<|pad|>", f"a{END_OF_DOCUMENT}b", ""]))


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.lists(HOSTILE, max_size=4).map("".join), max_size=6))
def test_ids_give_the_text_back_and_hold_no_special_token(content: str, texts: list[str]) -> None:
    tokenizer = plain_tokenizer(content)
    ids, lengths = encode(tokenizer, pa.array(texts, pa.string()))
    assert len(lengths) == len(texts)
    end = 0
    for text, length in zip(texts, lengths.tolist(), strict=True):
        part = ids[end : end + length].tolist()
        end += length
        assert tokenizer.decode(part, skip_special_tokens=False) == text
        assert not set(part) & {0, 1}
    assert end == len(ids)


def test_slices_change_nothing(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = plain_tokenizer(content)
    texts = pa.array(["return", "", "x" * 50, "the value", "日本" * 20, "self"] * 5).slice(3, 20)
    whole = [part.tolist() for part in encode(tokenizer, texts)]
    monkeypatch.setattr(stage, "SLICE_BYTES", 10)
    assert [part.tolist() for part in encode(tokenizer, texts)] == whole
    assert sum(whole[1]) == len(whole[0])
