"""Writes Parquet files of the `sequences` layout, as packing does, for tests of the training side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.token_ids import token_bytes, token_type
from training.data.snapshot import DataFile, Snapshot


def random_tokens(num_sequences: int, length: int, vocab_size: int, seed: int = 0) -> npt.NDArray[np.int32]:
    """Tokens with structure a model can learn: each follows from its predecessor, with some noise."""
    generator = np.random.default_rng(seed)
    tokens = np.empty((num_sequences, length), dtype=np.int32)
    tokens[:, 0] = generator.integers(0, vocab_size, num_sequences)
    for position in range(1, length):
        follow = (tokens[:, position - 1] * 5 + 3) % vocab_size
        noise = generator.integers(0, vocab_size, num_sequences)
        tokens[:, position] = np.where(generator.random(num_sequences) < 0.8, follow, noise)
    return tokens


def write_sequences(
    folder: Path,
    tokens: npt.NDArray[np.int32],
    *,
    rows_per_group: int = 16,
    rows_per_file: int = 64,
    vocab_size: int = 64,
    last_num_tokens: int | None = None,
    split: str = "train",
    version: int = 0,
) -> Snapshot:
    """A snapshot of new files that hold `tokens` (rows, length) with sequence ids from 0."""
    num_rows, length = tokens.shape
    counts = np.full(num_rows, length, dtype=np.int32)
    if last_num_tokens is not None:
        counts[-1] = last_num_tokens
    folder.mkdir(parents=True, exist_ok=True)
    stored = tokens.astype(token_type(token_bytes(vocab_size)))
    files = []
    for number, low in enumerate(range(0, num_rows, rows_per_file)):
        high = min(low + rows_per_file, num_rows)
        table = pa.table(
            {
                "sequence_id": pa.array(np.arange(low, high), pa.int64()),
                "input_ids": pa.array([bytes(row) for row in stored[low:high]], pa.binary()),
                "num_tokens": pa.array(counts[low:high], pa.int32()),
                "segments": pa.array([[{"doc_id": "d", "start": 0}]] * (high - low)),
            }
        )
        path = folder / f"part-{num_rows - number:05d}.parquet"
        pq.write_table(table, path, row_group_size=rows_per_group)
        files.append(DataFile(str(path), high - low))
    return Snapshot(
        table=str(folder),
        version=version,
        split=split,
        files=tuple(reversed(files)),
        sequence_length=length,
        vocab_size=vocab_size,
        tokenizer_hash="0" * 64,
        token_bytes=token_bytes(vocab_size),
    )
