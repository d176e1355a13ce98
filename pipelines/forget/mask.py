"""Documents taken out of sequences: what is left of a sequence moves together, the rest is padding.

A sequence keeps its id and its length. Padding at its end is what a sequence may have anyhow: it carries no
loss, and every reader of sequences knows it by `num_tokens`. So no reader has to know of masks, and of all
other sequences nothing changes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.lake.rewrite import having
from schemas.token_ids import token_type

DOCUMENTS = "segments.doc_id"
"""Where a sequence names its documents."""


@dataclass(frozen=True)
class Form:
    """How token ids are stored.

    Attributes:
        token_bytes: Bytes of an id.
        eod_id: The token that pads.
    """

    token_bytes: int
    eod_id: int


def masked(sequences: pa.Table, doc_ids: Collection[str], form: Form) -> pa.Table:
    """Rows of `sequences` without some documents; rows that have none of them are the same.

    A sequence of which nothing is left is one end-of-document token and padding: a sequence has at least one.

    >>> import pyarrow as pa
    >>> row = {"input_ids": np.array([5, 0, 7, 8, 0, 9], "<u2").tobytes(), "num_tokens": 6, "segments": [
    ...     {"doc_id": "a", "start": 0, "end": 2, "doc_start": 3},
    ...     {"doc_id": "b", "start": 2, "end": 5, "doc_start": 0},
    ...     {"doc_id": "c", "start": 5, "end": 6, "doc_start": 0}]}
    >>> found = masked(pa.Table.from_pylist([row]), ["b"], Form(2, 0)).to_pylist()[0]
    >>> np.frombuffer(found["input_ids"], "<u2").tolist(), found["num_tokens"]
    ([5, 0, 9, 0, 0, 0], 3)
    >>> [(each["doc_id"], each["start"], each["end"]) for each in found["segments"]]
    [('a', 0, 2), ('c', 2, 3)]
    """
    hit = np.flatnonzero(having(sequences, DOCUMENTS, pa.array(list(doc_ids), pa.string())))
    if not len(hit):
        return sequences
    gone, columns = set(doc_ids), {name: sequences.column(name).to_pylist() for name in _CHANGED}
    for row in hit.tolist():
        taken = _without({name: columns[name][row] for name in _CHANGED}, gone, form)
        for name in _CHANGED:
            columns[name][row] = taken[name]
    for name, values in columns.items():
        field = sequences.schema.field(name)
        sequences = sequences.set_column(
            sequences.schema.get_field_index(name), field, pa.array(values, field.type)
        )
    return sequences


_CHANGED = ("input_ids", "num_tokens", "segments")


def _without(row: dict[str, Any], gone: Collection[str], form: Form) -> dict[str, Any]:
    ids = np.frombuffer(row["input_ids"], token_type(form.token_bytes))
    left = np.full(len(ids), form.eod_id, ids.dtype)
    segments, at = [], 0
    for segment in row["segments"]:
        if segment["doc_id"] in gone:
            continue
        length = segment["end"] - segment["start"]
        left[at : at + length] = ids[segment["start"] : segment["end"]]
        segments.append({**segment, "start": at, "end": at + length})
        at += length
    return {"input_ids": left.tobytes(), "num_tokens": max(1, at), "segments": segments}
