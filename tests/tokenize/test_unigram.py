"""Unigram training: equal words, equal scores; probabilities that add up; every text can be encoded."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from pipelines.tokenize import unigram
from pipelines.tokenize.unigram import train_unigram
from tests.support.corpus import docstrings


@pytest.fixture(scope="module")
def words() -> Counter[bytes]:
    return Counter(f" {word}".encode() for text in docstrings()[:150] for word in text.split())


def test_the_order_of_the_words_changes_nothing(words: Counter[bytes]) -> None:
    expected = train_unigram(words, 600)
    items = list(words.items())
    random.Random(1).shuffle(items)
    assert train_unigram(dict(items), 600) == expected


def test_pieces_are_distinct_hold_every_byte_and_are_probabilities(words: Counter[bytes]) -> None:
    pieces = dict(train_unigram(words, 600))
    assert len(pieces) == 600
    assert {bytes([value]) for value in range(256)} <= pieces.keys()
    assert 0.7 < sum(math.exp(score) for score in pieces.values()) <= 1
    assert list(pieces.values()) == sorted(pieces.values(), reverse=True)


def test_a_frequent_word_is_a_piece_and_a_rare_one_is_not(words: Counter[bytes]) -> None:
    pieces = dict(train_unigram({b" return": 1000, b" re": 3, b" turn": 3, b" xylophone": 1}, 260))
    assert b" return" in pieces
    assert b" xylophone" not in pieces


def test_too_few_words_give_fewer_pieces() -> None:
    assert len(train_unigram({b"ab": 2}, 1000)) == 257
    assert len(train_unigram({}, 300)) == 256


def test_substrings_counted_in_parts_give_the_same_pieces(
    words: Counter[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train_unigram(words, 600)
    for most, seeds in ((2**12, 10**6), (2**10, 700)):
        with monkeypatch.context() as patch:
            patch.setattr(unigram, "MAX_SEED_PIECES", seeds)
            whole = train_unigram(words, 600)
            patch.setattr(unigram, "MAX_SUBSTRINGS", most)
            assert train_unigram(words, 600) == whole
        assert (whole == expected) == (seeds == 10**6)


def test_what_is_excluded_is_no_piece_and_what_holds_it_may_be() -> None:
    words = {b" return": 1000, b" returns": 900}
    assert b" return" in dict(train_unigram(words, 260))
    pieces = dict(train_unigram(words, 260, [b" return"]))
    assert b" return" not in pieces
    assert b" returns" in pieces


def test_it_says_how_far_it_is(words: Counter[bytes]) -> None:
    said: list[str] = []
    train_unigram(words, 600, say=said.append)
    assert "candidates from" in said[0]
    assert len(said) > 1
    assert all("pieces left, 600 wanted" in line for line in said[1:])
