"""Whether a history is the one that a batch went into: by its content, not by its place or its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from conf import load
from pipelines.bindings.history import history_identity
from pipelines.console.console import Console
from pipelines.lake import Lake
from pipelines.run.artefacts import GONE
from pipelines.run.context import Context
from schemas.signatures import SIGNATURES


def _add(history: Path, number: int, content: str, rows: int = 3) -> None:
    schema = SIGNATURES.arrow_schema()
    empty = dict.fromkeys(schema.names)
    known = {
        "sequence": number,
        "batch": f"day {number}",
        "digest": content,
        "parameters": "{}",
        "source": "a",
        "num_bytes": 1,
        "content": b"hash",
        "keys": [1],
        "component": "a",
        "links": [],
        "kept_doc_id": "a",
    }
    records = [empty | known | {"doc_id": f"{number}-{row}"} for row in range(rows)]
    table = pa.Table.from_pylist(records, schema=schema)
    place = history / "tables" / "signatures"
    write_deltalake(str(place), table, mode="append", partition_by=list(SIGNATURES.partition_by))


def _identity(history: Path, number: int) -> str:
    config = load(overrides=[f"dedup.history={history}"])
    context = Context(config, Lake.at(history.parent / "lake"), Console())
    return history_identity(context, {"batch_number": number})["history"]


def test_a_history_is_known_by_what_it_has_up_to_the_batch(tmp_path: Path) -> None:
    history, copy, other = (tmp_path / name for name in ("history", "copy", "other"))
    assert _identity(history, 0) == GONE
    _add(history, 0, "monday")
    shutil.copytree(history, copy)
    shutil.copytree(history, other)
    monday = _identity(history, 0)
    _add(history, 1, "tuesday")
    tuesday = _identity(history, 1)
    assert _identity(history, 0) == monday, "what came later makes no difference"
    DeltaTable(str(history / "tables" / "signatures")).optimize.compact()
    assert _identity(history, 1) == tuesday, "nor how the files lie"

    # The same table of an earlier day at the same path: tuesday's batch is not in it.
    shutil.rmtree(history)
    shutil.copytree(copy, history)
    assert _identity(history, 0) == monday
    assert _identity(history, 1) != tuesday
    _add(history, 1, "tuesday")
    assert _identity(history, 1) == tuesday
    # And one whose first batch was replaced: tuesday was compared with something else.
    place = str(other / "tables" / "signatures")
    DeltaTable(place).delete("sequence = 0")
    _add(other, 0, "another monday")
    _add(other, 1, "tuesday")
    assert _identity(other, 1) != tuesday
    # One that was begun anew is another table.
    shutil.rmtree(copy)
    _add(copy, 0, "monday")
    assert _identity(copy, 0) != monday


def test_without_a_history_there_is_nothing_to_know(tmp_path: Path) -> None:
    context = Context(load(), Lake.at(tmp_path), Console())
    assert history_identity(context, {}) == {}
