"""What a tokenizer is trained on: long words are cut between characters, distinct words end the sample."""

from __future__ import annotations

import pytest
from tokenizers import pre_tokenizers

from pipelines.tokenize.words import MAX_WORD_BYTES, BoundedWords
from tests.support.corpus import docstrings

SPLIT = pre_tokenizers.ByteLevel(add_prefix_space=False)


def _sizes(text: str) -> list[int]:
    return [len(word) for word, _ in SPLIT.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("ACGT" * 2000, 1),
        ("the " + "\u65e5\u672c" * 2000 + ", end", 1),
        (" " * 5000 + "x", 1),
        ("\u00e9" * (MAX_WORD_BYTES // 2 + 1), 1),
        ("x" * MAX_WORD_BYTES, 0),
        ("a\u0301" * 3000, 0),
        ("12 " + "-" * 3000 + "\n" + "7" * 3000, 2),
        ("\U0001f469\u200d\U0001f4bb\u200d" * 400, 1),
    ],
)
def test_long_words_are_cut_and_nothing_is_lost(text: str, cut: int) -> None:
    words = BoundedWords(iter([text]), 10**9)
    parts = list(words)
    assert "".join(parts) == text
    assert max(size for part in parts for size in _sizes(part)) <= MAX_WORD_BYTES
    assert words.num_cut == cut
    assert (len(parts) > 1) == (cut > 0)


def test_distinct_words_are_counted_as_the_pre_tokenizer_makes_them() -> None:
    texts = docstrings()
    words = BoundedWords(iter(texts), 10**9)
    assert list(words) == texts
    distinct = {word for text in texts for word, _ in SPLIT.pre_tokenize_str(text)}
    assert words.distinct_bytes == pytest.approx(sum(map(len, distinct)), rel=0.05)
    again = BoundedWords(iter(texts * 2), 10**9)
    assert sum(1 for _ in again) == 2 * len(texts)
    assert again.distinct_bytes == words.distinct_bytes


def test_the_sample_ends_where_its_distinct_words_reach_the_limit() -> None:
    texts = [f"{number:08d}" for number in range(100)]
    words = BoundedWords(iter(texts), 400)
    assert list(words) == texts[:50]
    assert (words.ended_early, words.distinct_bytes) == (True, 400)
    assert not BoundedWords(iter(texts), 801).ended_early
