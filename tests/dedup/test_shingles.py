"""Words, shingles, Jaccard similarity and MinHash keys, all on plain strings."""

from __future__ import annotations

import math
import random
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dedup.minhash import MinHash, similarities
from tests.dedup.support import jaccard, random_words


def unigrams(text: str, other: str) -> float:
    return float(similarities(pa.array([text]), pa.array([other]), 1)[0])


@pytest.mark.parametrize(
    ("text", "same_words"),
    [
        ("Hello, World!", "hello world"),
        ("a-b/c(d)", "a b c d"),
        ("naïve ÉTÉ", "NAÏVE été"),
        ("don’t «stop»…", "don t stop"),
        ("你好世界", "你 好 世 界"),
        ("Spark是快的", "spark 是 快 的"),
        ("ひらカタ", "ひ ら カ タ"),
        ("ไทย", "ไ ท ย"),
        ("x\u00a0y\u2003z\t\n", "x y z"),
        ("price: 12€ + 3%", "PRICE 12 3"),
        ("\U00020000\U0001f600z", "\U00020000 z"),
        ("𝔘nicode", "𝔘nicode ..."),
    ],
)
def test_words_are_the_same_with_other_case_punctuation_and_spaces(text: str, same_words: str) -> None:
    assert unigrams(text, same_words) == 1.0


@pytest.mark.parametrize(
    ("text", "other", "similarity"),
    [
        ("foo_bar", "foo bar", 0.0),
        ("हिन्दी", "ह न द", 0.0),
        ("résumé", "resume", 0.0),
        ("a b c", "b c d", 0.5),
        ("...", "...", 0.0),
        ("", "", 0.0),
        ("a", "", 0.0),
    ],
)
def test_words_that_differ_count_as_different(text: str, other: str, similarity: float) -> None:
    assert unigrams(text, other) == similarity


WORDS = st.lists(st.sampled_from(["a", "bb", "ab", "b", "é", "x1", "_", "ж"]), max_size=30)
GAPS = st.sampled_from([" ", ", ", "\n", "。", "--", "\u2003", "🙂"])


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS, st.integers(1, 7), GAPS, GAPS)
def test_jaccard_equals_that_of_python_sets(
    words: list[str], others: list[str], ngram: int, gap: str, other_gap: str
) -> None:
    texts = pa.array([gap.join(words), other_gap.join(others)])
    found = similarities(texts, texts.take(pa.array([1, 0])), ngram)
    assert found.tolist() == [jaccard(words, others, ngram)] * 2


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), max_size=8))
def test_keys_of_a_text_do_not_depend_on_its_neighbours(texts: list[str]) -> None:
    family = MinHash(ngram=2, bands=4, rows=2, seed=7)
    together, counts = family.keys(pa.array(texts, pa.string()))
    for row, text in enumerate(texts):
        alone, count = family.keys(pa.array(["before", text, "after"]).slice(1, 1))
        assert together[row].tolist() == alone[0].tolist()
        assert counts[row] == count[0]


def test_a_text_without_words_has_no_shingle() -> None:
    _, counts = MinHash(5, 2, 2, 1).keys(pa.array(["", "?!", " \n", "one", "a b c d e", "a b c d e f"]))
    assert counts.tolist() == [0, 0, 0, 1, 1, 2]


def pair(random_: random.Random, size: int, shared: int) -> tuple[str, str]:
    """Two texts of `size` distinct words each, `shared` of them in common, in random order."""
    words = [str(number) for number in random_.sample(range(10**9), 2 * size - shared)]
    one, other = words[:size], words[size - shared :]
    random_.shuffle(one)
    random_.shuffle(other)
    return " ".join(one), " ".join(other)


@pytest.mark.parametrize("shared", [50, 67, 80, 95])
def test_minhash_values_agree_as_often_as_the_sets_are_similar(shared: int) -> None:
    """Broder 1997: P(equal minimum) = Jaccard. 40 pairs x 256 values, 4 standard deviations."""
    random_ = random.Random(shared)
    family = MinHash(ngram=1, bands=256, rows=1, seed=3)
    pairs = [pair(random_, 100, shared) for _ in range(40)]
    ones, _ = family.keys(pa.array([one for one, _ in pairs]))
    others, _ = family.keys(pa.array([other for _, other in pairs]))
    similarity = shared / (200 - shared)
    deviation = math.sqrt(similarity * (1 - similarity) / ones.size)
    assert abs(float(np.mean(ones == others)) - similarity) < 4 * deviation


@pytest.mark.parametrize(("shared", "bands", "rows"), [(70, 14, 8), (80, 14, 8), (90, 14, 8), (60, 20, 5)])
def test_pairs_meet_in_a_band_as_often_as_the_formula_says(shared: int, bands: int, rows: int) -> None:
    random_ = random.Random(rows)
    pairs = [pair(random_, 100, shared) for _ in range(400)]
    family = MinHash(ngram=1, bands=bands, rows=rows, seed=11)
    ones, _ = family.keys(pa.array([one for one, _ in pairs]))
    others, _ = family.keys(pa.array([other for _, other in pairs]))
    similarity = shared / (200 - shared)
    expected = 1 - (1 - similarity**rows) ** bands
    deviation = math.sqrt(expected * (1 - expected) / len(pairs))
    assert abs(float(np.mean((ones == others).any(axis=1))) - expected) < 4 * deviation + 1e-9


def test_seeds_give_other_permutations_and_bands_other_keys() -> None:
    texts = pa.array([" ".join(random_words(random.Random(1), 50))])
    one, _ = MinHash(5, 14, 8, seed=1).keys(texts)
    other, _ = MinHash(5, 14, 8, seed=2).keys(texts)
    assert not set(one[0].tolist()) & set(other[0].tolist())
    assert len(set(one[0].tolist())) == 14


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abéж你"), max_size=12), st.integers(1, 4), GAPS, GAPS)
def test_characters_are_those_of_words_with_one_gap_for_any_separators(
    letters: list[str], ngram: int, gap: str, other_gap: str
) -> None:
    one = "".join(letter + (gap if place % 3 == 2 else "") for place, letter in enumerate(letters))
    other = "".join(
        letter + (other_gap * 2 if place % 3 == 2 else "") for place, letter in enumerate(letters)
    )
    items = re.sub(r"\W+", " ", one).strip()
    reversed_text = one[::-1]
    found = similarities(pa.array([one, one]), pa.array([other, reversed_text]), ngram, "characters")
    assert found[0] == (1.0 if letters else 0.0)
    assert found[1] == jaccard(items, items[::-1], ngram)
    _, counts = MinHash(ngram, 2, 2, 1, "characters").keys(pa.array([one]))
    assert counts[0] == (max(1, len(items) - ngram + 1) if items else 0)
