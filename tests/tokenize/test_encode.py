"""Encoding in Arrow batches: special tokens in a text stay text, slices change nothing."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.tokenize import engine as engine_module
from pipelines.tokenize.engine import Encoder, assigned, encode_plain, plain_tokenizer
from pipelines.tokenize.folder import END_OF_DOCUMENT

SOME_UNKNOWN = st.sampled_from("a\n\u00e9\u65e5\U0001f642\u088f\U0010ffff")
HOSTILE = st.one_of(st.text(), st.sampled_from([END_OF_DOCUMENT, "<|pad|>", f"a{END_OF_DOCUMENT}b", ""]))


@pytest.mark.parametrize("engine", ["tokenizers", "gigatoken"])
@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.lists(HOSTILE, max_size=4).map("".join), max_size=6))
def test_ids_give_the_text_back_and_hold_no_special_token(
    content: str, engine: str, texts: list[str]
) -> None:
    tokenizer = plain_tokenizer(content)
    ids, lengths = Encoder(content, engine, 2).encode(pa.array(texts, pa.string()))
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
    whole = [part.tolist() for part in encode_plain(tokenizer, texts)]
    monkeypatch.setattr(engine_module, "SLICE_BYTES", 10)
    assert [part.tolist() for part in encode_plain(tokenizer, texts)] == whole
    assert sum(whole[1]) == len(whole[0])


def test_characters_that_unicode_versions_differ_in_are_left_to_tokenizers(content: str) -> None:
    """U+088F is a letter since Unicode 17 only: gigatoken joins it to the letters around."""
    texts = pa.array(["return", "a\u088fb \u088f value", "self", "x\U0010ffff", ""])
    assert assigned(np.array([0x10FFFF, 0x41, 0x10FFFF], np.uint32)).tolist() == [False, True, False]
    fast, plain = (Encoder(content, engine, 2).encode(texts) for engine in ("gigatoken", "tokenizers"))
    assert fast[0].tolist() == plain[0].tolist()
    assert fast[1].tolist() == plain[1].tolist()


@settings(deadline=None)
@given(
    texts=st.lists(
        st.text(st.sampled_from("a\n\u00e9\u65e5\U0001f642\u088f\U0010ffff"), max_size=12), max_size=9
    ),
    cut=st.integers(0, 3),
    slice_bytes=st.sampled_from([5, 16, 2**20]),
)
def test_texts_with_such_characters_are_found_wherever_they_lie(
    texts: list[str], cut: int, slice_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "SLICE_BYTES", slice_bytes)
        column = pa.array(texts, pa.string()).slice(cut)
        found = engine_module._strange(*engine_module._buffers(column)).tolist()
    unknown = [any(unicodedata.category(char) == "Cn" for char in text) for text in column.to_pylist()]
    assert found == [number for number, one in enumerate(unknown) if one]


class _Panic(BaseException):
    pass


_Panic.__name__ = "PanicException"


@pytest.mark.parametrize("error", [_Panic("index out of bounds"), RuntimeError("no")])
def test_a_library_that_fails_is_replaced_and_it_is_said(
    content: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    encoder = Encoder(content, "gigatoken", 2)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(encoder, "encode_fast", fail)
    texts = pa.array(["the value", "self"])
    expected = Encoder(content, "tokenizers", 2).encode(texts)
    assert encoder.encode(texts)[0].tolist() == expected[0].tolist()
    assert "gigatoken failed" in capsys.readouterr().err
