"""What releases of delta-rs from 1.1 on tell alike: that of Databricks 18 LTS ML is 1.1."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake import DeltaTable


def count_deletion_vectors(table: DeltaTable) -> int:
    """Files of a version that have a deletion vector.

    A release that cannot tell counts one for a table that may have some by its protocol.
    """
    if hasattr(table, "deletion_vectors"):
        return int(table.deletion_vectors().read_all().num_rows)
    return int("deletionVectors" in (table.protocol().reader_features or ()))


def rows_of_files(actions: pa.Table) -> list[Any]:
    """Rows of each file by its statistics, None where it has none.

    Args:
        actions: What the log adds, flattened; where no file has statistics there may be no such column.
    """
    if "num_records" in actions.column_names:
        return list(actions.column("num_records").to_pylist())
    return [None] * actions.num_rows
