"""Batches of tagged rows: bounded by all their columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from conf.ingest import IngestConfig
from pipelines.ingest.discover import discover
from pipelines.ingest.parts import Part
from pipelines.ingest.stage import read_parts
from pipelines.tagged import MAX_BATCH_BYTES, bounded

LONG = 2 * 2**20


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 80), st.integers(1, 20))
def test_parts_are_whole_in_order_and_small(lengths: list[int], max_bytes: int, max_rows: int) -> None:
    column = pa.array(["a" * length for length in lengths], pa.string())
    found = list(bounded([column, column], max_bytes, max_rows))
    assert [row for start, stop in found for row in range(start, stop)] == list(range(len(lengths)))
    for start, stop in found:
        assert stop - start <= max_rows
        assert stop - start == 1 or 2 * column.slice(start, stop - start).nbytes <= max_bytes


def test_long_addresses_beside_tiny_texts_make_small_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = '{"text": "a", "url": "' + "u" * LONG + '", "id": "' + "i" * LONG + '"}\n'
    path.write_text(line * 20)
    config = IngestConfig(inputs=(str(path),), url_field="url")
    batches = list(read_parts([Part(file) for file in discover(config)], config))
    assert sum(batch.num_rows for batch in batches) == 21
    assert max(batch.nbytes for batch in batches) < MAX_BATCH_BYTES + 2**20
