"""Shared passages: every one of LEAST tokens has a common sample, and the longest is the longest."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.trace.overlap.search import _bounded
from pipelines.trace.overlap.winnow import GRAM, LEAST, WINDOW, Passage, Words, sample

TOKENS = st.lists(st.integers(0, 3), max_size=60)


def flat(documents: list[list[int]]) -> tuple[Words, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    joined = [token for document in documents for token in document]
    return np.array(joined, np.uint32), np.array([len(document) for document in documents], np.int64)


@given(text=TOKENS.filter(bool), documents=st.lists(TOKENS, min_size=1, max_size=5))
@settings(max_examples=50)
def test_the_longest_run_is_what_difflib_finds(text: list[int], documents: list[list[int]]) -> None:
    found = Passage(np.array(text, np.uint32)).longest(*flat(documents))
    for document, (length, at, doc_at) in zip(documents, found.tolist(), strict=True):
        wanted = SequenceMatcher(None, text, document, autojunk=False).find_longest_match()
        assert length == wanted.size
        assert text[at : at + length] == document[doc_at : doc_at + length]


@given(
    shared=st.lists(st.integers(0, 500), min_size=LEAST, max_size=60),
    around=st.tuples(*[st.lists(st.integers(0, 500), max_size=30)] * 4),
)
@settings(max_examples=50)
def test_a_shared_passage_has_a_sample_in_both_and_a_bound_above_it(
    shared: list[int], around: tuple[list[int], ...]
) -> None:
    text, document = around[0] + shared + around[1], around[2] + shared + around[3]
    own, theirs = sample(*flat([text])), sample(*flat([[7] * 3, document]), 5)
    entries = theirs[np.isin(theirs["hash"], own["hash"])]
    assert set(entries["row"].tolist()) == {6}
    ((bound, row),) = _bounded(own["hash"], own["at"].astype(np.int64), entries, len(text))
    longest = SequenceMatcher(None, text, document, autojunk=False).find_longest_match().size
    assert row == 6
    assert bound >= longest >= len(shared)


def test_samples_are_few_and_are_those_of_the_document_wherever_it_stands() -> None:
    random = np.random.default_rng(1)
    tokens = random.integers(0, 500, 10_000).astype(np.uint32)
    alone = sample(tokens, np.array([10_000]))
    assert abs(len(alone) / (10_000 - GRAM + 1) - 2 / (WINDOW + 1)) < 0.02
    behind = sample(np.concatenate([tokens[:40], tokens]), np.array([40, 10_000]))
    assert behind[behind["row"] == 1]["hash"].tolist() == alone["hash"].tolist()
    assert len(sample(tokens[: LEAST - 1], np.array([LEAST - 1]))) == 0
