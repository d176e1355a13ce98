"""Predictions by this process: rows stream from a file or table to another in bounded memory."""

from __future__ import annotations

import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import pyarrow as pa

from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.files.lines import read_lines
from pipelines.lake.external import ExternalTable, find_external, stream_external
from pipelines.lake.predictions import check_target, write_predictions
from pipelines.predict.request import Request, told_as_input
from pipelines.predict.rows import (
    MAX_LINE_BYTES,
    Asked,
    answered,
    id_array,
    json_row,
    parse_line,
    reasons,
    result_arrays,
    result_fields,
    told,
)
from pipelines.tagged import text_bytes
from ringlake.base.storage import folder_of
from training.inference.opening import open_predictor
from training.inference.predictor import Outcome, Refusal

GROUP_ROWS = 1024
"""Rows that are sorted by length together: with more, batches are hardly more even."""

GROUP_BYTES = 8 << 20
"""Bytes of text of such rows, if it is more than one row."""

STANDARD = "-"
"""Standard input or output."""


def is_json_lines(place: str) -> bool:
    """Whether a path is one of JSON lines; any other is that of a Delta table."""
    return place == STANDARD or place.endswith(".jsonl")


def predict_locally(request: Request, source: str, target: str, console: Console, *, force: bool) -> None:
    """Predicts every row of an input; the output is there whole, or as it was.

    Args:
        request: What is asked for.
        source: JSON lines (`.jsonl`, '-' for standard input) or a Delta table, `FOLDER` or `FOLDER@VERSION`.
        target: Where the predictions go: JSON lines in the order of the input, or a Delta table.
        console: Where progress goes.
        force: Replace a Delta table that no prediction made.

    Raises:
        InputError: Input, output or model cannot be used, or no row of the input could.
    """
    if source == target != STANDARD:
        raise InputError(f"--input and --output are both {source}; name another output")
    table = None if is_json_lines(source) else find_external(source, "--input")
    if not is_json_lines(target):
        check_target(target, force=force)
    with told_as_input():
        predictor = open_predictor(request.verb, request.model, request.options)
    meter = _Meter(request.verb, console)

    def outcomes() -> Iterator[tuple[list[Asked], list[Outcome]]]:
        for group in _groups(_asked(request, source, table)):
            found = answered(predictor, group)
            meter.see(found)
            yield group, found

    if is_json_lines(target):
        with _opened(target) as handle:
            for group, found in outcomes():
                handle.write(
                    b"".join(json_row(item.id, each) for item, each in zip(group, found, strict=True))
                )
    else:
        _write_table(request, target, table, outcomes(), meter)
    meter.end()


class _Writes(Protocol):
    def write(self, content: bytes, /) -> Any: ...


class _Meter:
    """Counts rows and shows how fast they go."""

    def __init__(self, verb: str, console: Console) -> None:
        self._verb, self._console = verb, console
        self._began = time.monotonic()
        self.num_rows = 0
        self.refused: Counter[str] = Counter()

    def see(self, outcomes: list[Outcome]) -> None:
        """Take the rows of a group."""
        self.num_rows += len(outcomes)
        self.refused += reasons(outcomes)
        self._console.live(f"  {self._verb}: {self._line()}")

    def end(self) -> None:
        """Say what became of all; InputError if no row could be used."""
        self._console.say(f"{self._verb}: {told(self.num_rows, self.refused)}; {self._line()}")
        if self.num_rows and self.num_rows == sum(self.refused.values()):
            raise InputError(
                f"{self._verb}: no row could be used ({told(self.num_rows, self.refused)}); "
                f"the output says why"
            )

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        return f"{self.num_rows:,} rows in {seconds:.1f} s, {self.num_rows / max(seconds, 1e-6):,.1f} rows/s"


def _asked(request: Request, source: str, table: ExternalTable | None) -> Iterator[Asked]:
    """The rows of an input."""
    if table is not None:
        columns = request.columns_in(table.columns, source)
        for batch in stream_external(table, list(dict.fromkeys([request.id_column, *columns]))):
            for row in batch.to_pylist():
                yield Asked(row[request.id_column], row)
        return
    with _input(source) as stream:
        for line in read_lines(stream, MAX_LINE_BYTES):
            where = f"line {line.number}"
            if line.is_too_long:
                yield Asked(
                    None, Refusal("bad_json", f"{where} has {line.size} bytes, more than {MAX_LINE_BYTES}")
                )
            elif line.content.strip():
                yield parse_line(line.content, where, request.id_column)


def _groups(rows: Iterator[Asked]) -> Iterator[list[Asked]]:
    group: list[Asked] = []
    size = 0
    for item in rows:
        num_bytes = 0 if isinstance(item.row, Refusal) else sum(map(text_bytes, item.row.values()))
        if group and (len(group) == GROUP_ROWS or size + num_bytes > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(item)
        size += num_bytes
    if group:
        yield group


def _input(source: str) -> AbstractContextManager[Any]:
    if source == STANDARD:
        return nullcontext(sys.stdin.buffer)
    parent, _, name = folder_of(source).location.rpartition("/")
    folder = folder_of(parent or "/")
    if not folder.exists(name):
        raise InputError(f"--input {source} does not exist")
    return folder.open(name, "rb")


@contextmanager
def _opened(target: str) -> Iterator[_Writes]:
    """The output: standard output, or a file that takes its place when it is whole."""
    if target == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    parent, _, name = folder_of(target).location.rpartition("/")
    folder = folder_of(parent or "/")
    if not folder.is_folder():
        raise InputError(f"--output {target}: there is no folder {parent}; make it first")
    with folder.replacing(name) as handle:
        yield handle


def _write_table(
    request: Request,
    target: str,
    table: ExternalTable | None,
    outcomes: Iterator[tuple[list[Asked], list[Outcome]]],
    meter: _Meter,
) -> None:
    """Writes a Delta table in one commit; what is known only at the end is in the log of the terminal."""
    id_type = pa.string() if table is None else _id_type(request, table)
    schema = pa.schema([pa.field("id", id_type), *result_fields(request.verb)])
    noted = {
        "attempt": uuid.uuid4().hex,
        "verb": request.verb,
        "model": request.identity,
        "options": request.options.deciding(request.verb),
        "input": table.location if table else "",
        "input_version": table.version if table else None,
    }
    batches = (
        pa.RecordBatch.from_arrays(
            [id_array([item.id for item in group], id_type), *result_arrays(request.verb, found)],
            schema=schema,
        )
        for group, found in outcomes
    )
    write_predictions(target, schema, batches, noted)


def _id_type(request: Request, table: ExternalTable) -> pa.DataType:
    first = next(stream_external(table, [request.id_column]), None)
    return pa.string() if first is None else first.schema.field(0).type
