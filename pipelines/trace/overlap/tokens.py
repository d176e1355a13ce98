"""The rows of `tokens` at one version in a fixed order: all of them in batches, or some by their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake
from pipelines.trace.overlap.winnow import Ints, Words
from ringlake.base.storage import arrow_filesystem
from schemas.token_ids import flat_ids, tokens_of_examples
from training.facts import LEARNS_TOKENS

_BATCH_ROWS = 512
"""Documents in memory at once: each may have many megabytes."""


@dataclass(frozen=True)
class Batch:
    """Some rows that follow each other.

    Attributes:
        first_row: Number of the first.
        ids: Tokens of all of them; none of a row that is not trained on.
        lengths: Tokens of each.
    """

    first_row: int
    ids: Words
    lengths: Ints


@dataclass(frozen=True)
class TokenRows:
    """The rows of `tokens` of a lake at a version, numbered by file and row.

    Attributes:
        lake: The lake.
        version: The version.
        table_id: What the log calls the table.
        paths: Its files, sorted.
        rows: Rows of each.
        noted: What tokenizing noted with the commit.
    """

    lake: Lake
    version: int
    table_id: str
    paths: tuple[str, ...]
    rows: tuple[int, ...]
    noted: Mapping[str, Any] = field(repr=False)

    @classmethod
    def open(cls, lake: Lake, version: int) -> TokenRows:
        """The rows of a version.

        Raises:
            InputError: There is no such version, or another release wrote it.
        """
        catalog = Catalog(lake)
        info = catalog.info("tokens", version)
        if info.metadata.get("token_bytes") not in (2, 4):
            raise InputError(
                f"table 'tokens' (version {version}) of the lake {lake.location} does not say how its token "
                f"ids are stored; tokenize again: ringlake tokenize --lake {lake.location}"
            )
        files = sorted(catalog.active_files("tokens", info.version, {}), key=lambda file: file.path)
        return cls(
            lake,
            info.version,
            catalog.table_id("tokens"),
            tuple(file.path for file in files),
            tuple(file.num_rows for file in files),
            info.metadata,
        )

    def batches(self) -> Iterator[Batch]:
        """All rows; those of the validation split have no tokens here."""
        for path, base in zip(self.paths, self._bases(), strict=True):
            with _opened(path) as file:
                row = base
                for part in file.iter_batches(_BATCH_ROWS, columns=["split", "input_ids"], use_threads=False):
                    yield self._batch(part, row)
                    row += part.num_rows

    def take(self, numbers: Collection[int]) -> dict[int, tuple[str, Words]]:
        """doc_id and tokens of some rows by number; each row group is read once."""
        wanted = np.array(sorted(numbers), np.int64)
        bases = np.array([*self._bases(), sum(self.rows)], np.int64)
        found: dict[int, tuple[str, Words]] = {}
        for number in np.unique(np.searchsorted(bases, wanted, "right") - 1).tolist():
            own = wanted[(wanted >= bases[number]) & (wanted < bases[number + 1])]
            with _opened(self.paths[number]) as file:
                low = int(bases[number])
                for group in range(file.num_row_groups):
                    size = file.metadata.row_group(group).num_rows
                    rows = own[(own >= low) & (own < low + size)]
                    if len(rows):
                        read = file.read_row_group(group, columns=["doc_id", "input_ids"], use_threads=False)
                        table = read.take(pa.array(rows - low)).combine_chunks()
                        ids, lengths = self._tokens(table.column("input_ids").combine_chunks())
                        ends = np.cumsum(lengths)
                        for row, doc_id, end, length in zip(
                            rows.tolist(), table.column("doc_id").to_pylist(), ends, lengths, strict=True
                        ):
                            found[row] = (doc_id, ids[end - length : end])
                    low += size
        return found

    def _bases(self) -> list[int]:
        return [0, *accumulate(self.rows[:-1])] if self.rows else []

    def _batch(self, part: pa.RecordBatch, first_row: int) -> Batch:
        ids, lengths = self._tokens(part.column("input_ids"))
        trained = np.array([split == "train" for split in part.column("split").to_pylist()], np.bool_)
        kept = np.repeat(trained, lengths)
        return Batch(first_row, ids[kept], np.where(trained, lengths, 0))

    def _tokens(self, column: pa.Array) -> tuple[Words, Ints]:
        """Token ids; of the examples of a task without their marks."""
        ids, lengths = flat_ids(column.cast(pa.binary()), int(self.noted["token_bytes"]))
        task = self.noted.get("task")
        if task:
            ids, lengths = tokens_of_examples(
                ids, lengths, learns_tokens=bool(task.get(LEARNS_TOKENS, False))
            )
        return ids.astype(np.uint32), lengths.astype(np.int64)


def _opened(path: str) -> pq.ParquetFile:
    filesystem, place = arrow_filesystem(path)
    try:
        return pq.ParquetFile(filesystem.open_input_file(place))
    except FileNotFoundError:
        raise InputError(
            f"{path} is gone: this version of table 'tokens' cannot be read any more (VACUUM removes the "
            f"files of old versions)"
        ) from None
