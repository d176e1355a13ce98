"""Reading one file as ingest does, without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.ingest import IngestConfig
from pipelines.files.record import Document
from pipelines.ingest.discover import discover
from pipelines.ingest.read_file import Quarantined, Summary, read_file


@dataclass(frozen=True)
class Outcome:
    documents: list[Document]
    quarantined: list[Quarantined]
    summary: Summary

    @property
    def texts(self) -> list[str]:
        return [document.text for document in self.documents]

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(row.scope, row.fault.reason) for row in self.quarantined]


def read(path: Path, **config: Any) -> Outcome:
    settings = IngestConfig(inputs=(str(path),), **config)
    (file,) = discover(settings)
    rows = list(read_file(file, settings))
    assert isinstance(rows[-1], Summary)
    assert sum(isinstance(row, Summary) for row in rows) == 1
    return Outcome(
        [row for row in rows if isinstance(row, Document)],
        [row for row in rows if isinstance(row, Quarantined)],
        rows[-1],
    )


def read_bytes(folder: Path, name: str, content: bytes, **config: Any) -> Outcome:
    path = folder / name
    path.write_bytes(content)
    return read(path, **config)
