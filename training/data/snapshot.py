"""The files of one pinned table version, which is all that training knows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DataFile:
    """One active Parquet file.

    Attributes:
        path: Absolute path or URL.
        num_rows: Rows in it, as the table's log says.
    """

    path: str
    num_rows: int


@dataclass(frozen=True)
class Snapshot:
    """The active files that hold one split of `sequences` at one version.

    Attributes:
        table: Folder of the table, for messages.
        version: Version of the table; never a moving one.
        split: 'train' or 'validation'.
        files: Active files in any order; the reader orders them by sequence_id.
        sequence_length: Tokens in each sequence.
        vocab_size: Size of the tokenizer's vocabulary.
        tokenizer_hash: SHA-256 of the tokenizer.json that made the tokens.
        token_bytes: Bytes of a stored token id, 2 or 4.
        task: What tokenizing noted of the examples of a task (JSON values): its name, the labels of a
            classification. Empty: they are texts for a language model.
        since: Version of the table whose files are left out; None: none are.
        first_id: Sequence id that these begin with: how many that version has.
        masked: Fingerprint of the files as they are, by which they were known before documents in them were
            forgotten: who trained on them goes on, with the same sequences without those documents.
    """

    table: str
    version: int
    split: str
    files: tuple[DataFile, ...]
    sequence_length: int
    vocab_size: int
    tokenizer_hash: str
    token_bytes: int
    task: Mapping[str, Any] = field(default_factory=dict)
    since: int | None = None
    first_id: int = 0
    masked: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_sequences(self) -> int:
        """Sequences in all files."""
        return sum(file.num_rows for file in self.files)
