"""The pyarrow behaviour that layout and reader lean on; a new pyarrow must keep it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.storage import arrow_filesystem

ROWS, LENGTH = 1000, 16
TOKENS = np.arange(ROWS * LENGTH, dtype=np.int32).reshape(ROWS, LENGTH)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two row groups of many small pages, lists named as Spark names them, a nested column beside them."""
    file = tmp_path_factory.mktemp("pyarrow") / "rows.parquet"
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(ROWS + 1, dtype=np.int32) * LENGTH), pa.array(TOKENS.ravel())
    )
    table = pa.table(
        {
            "sequence_id": pa.array(np.arange(ROWS), pa.int64()),
            "input_ids": lists.cast(pa.list_(pa.field("element", pa.int32()))),
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
    assert {"sequence_id", "input_ids.list.element"} <= columns.keys()
    statistics = columns["sequence_id"].statistics
    assert (statistics.has_min_max, statistics.min, statistics.max) == (True, 600, 999)
    assert columns["input_ids.list.element"].total_compressed_size > 0


def test_lists_differ_by_the_name_of_their_items_but_not_by_value_type(path: Path) -> None:
    """Spark writes `element`, pyarrow `item`; so types of lists are compared by their values."""
    found = pq.read_schema(path).field("input_ids").type
    assert pa.types.is_list(found)
    assert found.value_type == pa.list_(pa.int32()).value_type


def test_combined_chunks_of_a_slice_are_one_chunk_and_flatten_to_the_slice(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        table = (
            file.read_row_group(0, columns=["input_ids"], use_threads=False).slice(37, 100).combine_chunks()
        )
    column = table.column("input_ids")
    assert column.num_chunks == 1
    lists = column.chunk(0)
    # The offsets may begin anywhere; their differences and the flat values are the slice's.
    assert set(np.diff(lists.offsets.to_numpy())) == {LENGTH}
    assert np.array_equal(lists.flatten().to_numpy(zero_copy_only=True).reshape(-1, LENGTH), TOKENS[37:137])


def test_flat_values_lie_in_arrows_own_memory(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        lists = file.read_row_group(0, columns=["input_ids"]).combine_chunks().column("input_ids").chunk(0)
    values = lists.flatten().to_numpy(zero_copy_only=True)
    buffer = lists.values.buffers()[1]
    assert buffer.address <= values.ctypes.data < buffer.address + buffer.size
    assert not values.flags.writeable
    # The view keeps the memory alive when the table is gone.
    del lists, buffer
    assert np.array_equal(values.reshape(-1, LENGTH), TOKENS[:600])


def test_a_list_with_a_null_counts_it() -> None:
    column = pa.array([[1, 2], None], pa.list_(pa.int32()))
    assert column.null_count == 1
    assert np.diff(column.offsets.to_numpy()).tolist() == [2, 0]


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
