"""Cutting, arranging and joining lose no token, whatever the documents, the length and the method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.pack.best_fit import place
from pipelines.pack.fragments import Fragments, arrange, cut, join, read_documents
from schemas.token_ids import binary_ids, flat_ids
from tests.support.token_ids import numbers, stored

END = 0

documents = st.lists(st.lists(st.integers(min_value=1, max_value=9), max_size=40), min_size=1, max_size=12)
lengths = st.integers(min_value=2, max_value=17)
sizes = st.sampled_from([2, 4])

Docs = list[list[int]]
Row = dict[str, Any]


def _batch(docs: Docs, size: int) -> pa.RecordBatch:
    ids = [bytes(stored(doc, size)) for doc in docs]
    columns = [pa.array([f"{number:032x}" for number in range(len(docs))]), pa.array(ids, pa.binary())]
    return pa.RecordBatch.from_arrays(columns, names=["doc_id", "input_ids"])


def _concat(docs: Docs, length: int, size: int, first: int = 0) -> Fragments:
    read = read_documents(_batch(docs, size), END, size)
    return cut(read, first + np.cumsum(read.lengths) - read.lengths, length)


def _best_fit(docs: Docs, length: int, size: int, first: int = 0) -> Fragments:
    read = read_documents(_batch(docs, size), END, size)
    return arrange(read, place(read.lengths, length), first)


def _rows(fragments: Fragments, length: int, size: int) -> list[Row]:
    heads = np.concatenate([[0], np.flatnonzero(np.diff(fragments.position)) + 1])
    columns = pa.RecordBatch.from_arrays([fragments.tokens, fragments.segments], names=["tokens", "segments"])
    ids, counts, segments = join(columns, heads, length, END, size)
    return [
        {"position": position, "ids": numbers(value, size), "num_tokens": count, "segments": parts}
        for position, value, count, parts in zip(
            fragments.position[heads].tolist(),
            ids.to_pylist(),
            counts.to_pylist(),
            segments.to_pylist(),
            strict=True,
        )
    ]


@pytest.mark.parametrize("method", [_concat, _best_fit])
@given(docs=documents, length=lengths, size=sizes)
def test_every_token_lies_in_one_place_and_segments_say_where(
    method: Callable[..., Fragments], docs: Docs, length: int, size: int
) -> None:
    rows = _rows(method(docs, length, size), length, size)
    assert [row["position"] for row in rows] == list(range(len(rows)))
    found: dict[int, dict[int, list[int]]] = {number: {} for number in range(len(docs))}
    for row in rows:
        assert len(row["ids"]) == length
        filled = 0
        for segment in row["segments"]:
            assert segment["start"] == filled
            filled = segment["end"]
            pieces = found[int(segment["doc_id"], 16)]
            assert segment["doc_start"] not in pieces
            pieces[segment["doc_start"]] = row["ids"][segment["start"] : filled]
        assert filled == row["num_tokens"] >= 1
        assert set(row["ids"][filled:]) <= {END}
    for number, pieces in found.items():
        assert [token for start in sorted(pieces) for token in pieces[start]] == [*docs[number], END]
        assert list(np.cumsum([0, *(len(pieces[s]) for s in sorted(pieces))])[:-1]) == sorted(pieces)


@given(documents, lengths, st.integers(min_value=0, max_value=50))
def test_concatenation_is_the_stream_cut_evenly(docs: Docs, length: int, first: int) -> None:
    stream = [token for doc in docs for token in [*doc, END]]
    fragments = _concat(docs, length, 2, first)
    ids, counts = flat_ids(fragments.tokens, 2)
    assert ids.tolist() == stream
    begins = first + np.cumsum(counts) - counts
    assert (fragments.position * length + fragments.at).tolist() == begins.tolist()
    assert fragments.position.tolist() == list(
        range(first // length, (first + len(stream) - 1) // length + 1)
    )


@given(documents, lengths)
def test_best_fit_cuts_no_document_that_fits(docs: Docs, length: int) -> None:
    for row in _rows(_best_fit(docs, length, 2), length, 2):
        for segment in row["segments"]:
            whole = len(docs[int(segment["doc_id"], 16)]) + 1
            assert segment["end"] - segment["start"] == min(length, whole - segment["doc_start"])
            assert segment["doc_start"] % length == 0


def test_a_gap_in_the_stream_begins_a_fragment() -> None:
    read = read_documents(_batch([[1], [2], [3]], 2), END, 2)
    fragments = cut(read, np.array([0, 2, 6]), 8)
    assert (fragments.position.tolist(), fragments.at.tolist()) == ([0, 0], [0, 6])
    assert [numbers(value) for value in fragments.tokens.to_pylist()] == [[1, 0, 2, 0], [3, 0]]


def test_a_slice_of_a_batch_is_read_like_the_whole() -> None:
    docs = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9]]
    whole = read_documents(_batch(docs, 2), END, 2)
    parts = [read_documents(_batch(docs, 2).slice(low, 2), END, 2) for low in (0, 2)]
    assert np.concatenate([part.tokens for part in parts]).tolist() == whole.tokens.tolist()
    assert np.concatenate([part.doc_ids for part in parts]).tolist() == whole.doc_ids.tolist()
    assert whole.tokens.tolist() == [1, 2, 3, 0, 4, 0, 0, 5, 6, 7, 8, 9, 0]


def test_by_hand() -> None:
    docs = [[1, 2], [3, 4, 5]]
    rows = _rows(_concat(docs, 4, 2), 4, 2)
    assert [row["ids"] for row in rows] == [[1, 2, 0, 3], [4, 5, 0, 0]]
    assert [row["num_tokens"] for row in rows] == [4, 3]
    assert [(s["start"], s["end"], s["doc_start"]) for s in rows[0]["segments"]] == [(0, 3, 0), (3, 4, 0)]
    assert [(s["start"], s["end"], s["doc_start"]) for s in rows[1]["segments"]] == [(0, 3, 1)]
    rows = _rows(_best_fit(docs, 4, 2), 4, 2)
    assert [row["ids"] for row in rows] == [[3, 4, 5, 0], [1, 2, 0, 0]]
    assert [row["num_tokens"] for row in rows] == [4, 3]


def test_an_id_that_is_none_of_ours_is_refused() -> None:
    columns = [pa.array(["short"]), binary_ids(np.array([1], np.uint16), np.array([1]))]
    with pytest.raises(InputError, match="doc_id 'short'"):
        read_documents(pa.RecordBatch.from_arrays(columns, names=["doc_id", "input_ids"]), END, 2)
