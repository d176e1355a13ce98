"""Cutting and joining lose no token, whatever the documents and the length."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pack.pieces import cut, join

END = 0

documents = st.lists(st.lists(st.integers(min_value=1, max_value=9), max_size=40), min_size=1, max_size=12)


def _batch(docs: list[list[int]], first: int = 0) -> pa.RecordBatch:
    starts, position = [], first
    for doc in docs:
        starts.append(position)
        position += len(doc) + 1
    return pa.RecordBatch.from_arrays(
        [
            pa.array(["train"] * len(docs)),
            pa.array([f"d{number}" for number in range(len(docs))]),
            pa.array(docs, pa.list_(pa.int32())),
            pa.array(starts, pa.int64()),
        ],
        names=["split", "doc_id", "input_ids", "start"],
    )


def _joined(pieces: pa.RecordBatch, length: int) -> list[dict[str, object]]:
    placed = pieces.append_column("sequence_id", pieces.column("position"))
    joined = join(placed, length, END)
    names = ["split", "sequence_id", "input_ids", "num_tokens", "segments"]
    return pa.table([getattr(joined, name) for name in names], names=names).to_pylist()


@given(documents, st.integers(min_value=2, max_value=17), st.integers(min_value=0, max_value=50))
def test_the_pieces_of_a_document_are_the_document(docs: list[list[int]], length: int, first: int) -> None:
    found: dict[str, list[int]] = {}
    for piece in cut(_batch(docs, first), length, END).to_pylist():
        tokens = found.setdefault(piece["doc_id"], [])
        assert piece["doc_start"] == len(tokens)
        assert piece["tokens"]
        assert piece["at"] + len(piece["tokens"]) <= length
        tokens += piece["tokens"]
    assert found == {f"d{number}": [*doc, END] for number, doc in enumerate(docs)}


@given(documents, st.integers(min_value=2, max_value=17))
def test_the_sequences_are_the_stream_cut_evenly(docs: list[list[int]], length: int) -> None:
    rows = _joined(cut(_batch(docs), length, END), length)
    stream = [token for doc in docs for token in [*doc, END]]
    assert [row["sequence_id"] for row in rows] == list(range(-(-len(stream) // length)))
    joined = [token for row in rows for token in row["input_ids"]]  # type: ignore[attr-defined]
    assert joined[: len(stream)] == stream
    assert set(joined[len(stream) :]) <= {END}
    assert [len(row["input_ids"]) for row in rows] == [length] * len(rows)  # type: ignore[arg-type]
    assert sum(row["num_tokens"] for row in rows) == len(stream)  # type: ignore[misc]


@given(documents, st.integers(min_value=2, max_value=17))
def test_segments_name_what_lies_where(docs: list[list[int]], length: int) -> None:
    for row in _joined(cut(_batch(docs), length, END), length):
        filled = 0
        for segment in row["segments"]:  # type: ignore[attr-defined]
            assert segment["start"] == filled
            filled = segment["end"]
            doc = [*docs[int(segment["doc_id"][1:])], END]
            part = doc[segment["doc_start"] : segment["doc_start"] + segment["end"] - segment["start"]]
            assert row["input_ids"][segment["start"] : segment["end"]] == part  # type: ignore[index]
        assert filled == row["num_tokens"]


def test_a_slice_of_a_batch_is_cut_like_the_whole() -> None:
    docs = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9]]
    whole = cut(_batch(docs), 4, END).to_pylist()
    parts = [piece for low in (0, 2) for piece in cut(_batch(docs).slice(low, 2), 4, END).to_pylist()]
    assert parts == whole


def test_by_hand() -> None:
    rows = _joined(cut(_batch([[1, 2], [3, 4, 5]]), 4, END), 4)
    assert [row["input_ids"] for row in rows] == [[1, 2, 0, 3], [4, 5, 0, 0]]
    assert [row["num_tokens"] for row in rows] == [4, 3]
    assert rows[0]["segments"] == [
        {"doc_id": "d0", "start": 0, "end": 3, "doc_start": 0},
        {"doc_id": "d1", "start": 3, "end": 4, "doc_start": 0},
    ]
    assert rows[1]["segments"] == [{"doc_id": "d1", "start": 0, "end": 3, "doc_start": 1}]
