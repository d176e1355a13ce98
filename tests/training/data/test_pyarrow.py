"""The pyarrow behaviour that layout and reader lean on; a new pyarrow must keep it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ringlake.base.storage import arrow_filesystem
from schemas.token_ids import flat_ids

ROWS, LENGTH = 1000, 16
TOKENS = np.arange(ROWS * LENGTH, dtype=np.int32).reshape(ROWS, LENGTH)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two row groups of many small pages, binary rows, a nested column beside them."""
    file = tmp_path_factory.mktemp("pyarrow") / "rows.parquet"
    table = pa.table(
        {
            "sequence_id": pa.array(np.arange(ROWS), pa.int64()),
            "input_ids": pa.array([row.tobytes() for row in TOKENS], pa.binary()),
            "segments": pa.array([[{"doc_id": "d", "start": 1}]] * ROWS),
        }
    )
    pq.write_table(table, file, row_group_size=600, data_page_size=256)
    return file


def test_a_row_group_is_read_with_the_named_columns_only(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(1, columns=["sequence_id", "input_ids"], use_threads=False)
    assert table.column_names == ["sequence_id", "input_ids"]
    assert table.num_rows == 400


def test_a_footer_read_before_saves_reading_it_again(path: Path) -> None:
    metadata = pq.read_metadata(path)
    with pq.ParquetFile(path, metadata=metadata) as file:
        assert file.read_row_group(0, columns=["sequence_id"]).num_rows == 600


def test_the_footer_has_exact_statistics_by_column_path(path: Path) -> None:
    group = pq.read_metadata(path).row_group(1)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    assert {"sequence_id", "input_ids"} <= columns.keys()
    statistics = columns["sequence_id"].statistics
    assert (statistics.has_min_max, statistics.min, statistics.max) == (True, 600, 999)
    assert columns["input_ids"].total_compressed_size > 0


def test_a_binary_column_of_spark_and_of_pyarrow_has_one_type(path: Path) -> None:
    assert pq.read_schema(path).field("input_ids").type == pa.binary()


def test_combined_chunks_of_a_slice_are_one_chunk_over_its_rows(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        table = (
            file.read_row_group(0, columns=["input_ids"], use_threads=False).slice(37, 100).combine_chunks()
        )
    column = table.column("input_ids")
    assert column.num_chunks == 1
    ids, lengths = flat_ids(column.chunk(0), 4)
    assert set(lengths.tolist()) == {LENGTH}
    assert np.array_equal(ids.reshape(-1, LENGTH), TOKENS[37:137])


def test_rows_lie_behind_each_other_in_arrows_own_memory(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        column = file.read_row_group(0, columns=["input_ids"]).combine_chunks().column("input_ids").chunk(0)
    ids, _ = flat_ids(column, 4)
    buffer = column.buffers()[2]
    assert buffer.address <= ids.ctypes.data < buffer.address + buffer.size
    # The view keeps the memory alive when the table is gone.
    del column, buffer
    assert np.array_equal(ids.reshape(-1, LENGTH), TOKENS[:600])


def test_files_behind_fsspec_are_read_from_several_threads(path: Path) -> None:
    store = fsspec.filesystem("memory")
    store.pipe_file("/pyarrow/rows.parquet", path.read_bytes())

    def read(number: int) -> int:
        filesystem, place = arrow_filesystem("memory://pyarrow/rows.parquet")
        with filesystem.open_input_file(place) as handle, pq.ParquetFile(handle) as file:
            return int(file.read_row_group(number % 2, columns=["sequence_id"]).column(0)[0].as_py())

    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(read, range(20))) == [0, 600] * 10
    finally:
        store.rm("/pyarrow", recursive=True)
