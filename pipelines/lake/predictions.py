"""Tables of predictions, which lie anywhere: written, and asked which run made what they have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from pipelines.errors import InputError
from pipelines.lake.catalog import parse_metadata
from ringlake.base.clients import prepare_clients
from ringlake.base.storage import folder_of
from schemas import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOTED = "ringlake_predictions"
"""Under this key the metadata of a commit has what is known of the predictions in it."""

_CHANGES_NO_ROW = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "FSCK"})


@dataclass(frozen=True)
class Part:
    """A commit of a table of predictions.

    Attributes:
        version: Version of the table that it made.
        noted: What was noted with it.
    """

    version: int
    noted: dict[str, Any]


def parts_of(location: str) -> list[Part]:
    """The commits that made what a table of predictions has now, the newest first.

    They are those of the run whose commit is the newest; empty where there is no table, or another program
    changed it since.
    """
    prepare_clients()
    place = folder_of(location).location
    if not DeltaTable.is_deltatable(place):
        return []
    found: list[Part] = []
    for commit in DeltaTable(place).history():
        if str(commit.get("operation")) in _CHANGES_NO_ROW:
            continue
        noted = _noted(commit)
        if noted is None or (found and noted.get("attempt") != found[0].noted.get("attempt")):
            break
        found.append(Part(int(commit["version"]), noted))
    return found


def check_target(location: str, *, force: bool) -> None:
    """InputError if predictions would take the place of a table that none has made.

    Args:
        location: Path or URL of the table.
        force: Allow it, unless it is one of a lake's own tables.
    """
    prepare_clients()
    place = folder_of(location).location
    if not DeltaTable.is_deltatable(place):
        return
    if place.rsplit("/", 2)[-2:-1] == ["tables"] and place.rsplit("/", 1)[-1] in TABLES:
        raise InputError(f"--output {location} is a table of a stage of ringlake; name another output")
    if not force and not parts_of(location):
        raise InputError(
            f"--output {location} is a table that no prediction has made, or that was changed since; name "
            f"another output, or replace it with --force"
        )


def write_predictions(
    location: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], noted: Mapping[str, Any]
) -> None:
    """Replaces a table by rows that stream in, without Spark, in one commit.

    They are computed in the thread of the caller: within the writer's own, no other table can be read.

    Args:
        location: Path or URL of the table.
        schema: Schema of the rows.
        batches: The rows.
        noted: Stored with the commit, JSON values.
    """
    box: Queue[Any] = Queue(maxsize=2)

    def handed_over() -> Iterator[pa.RecordBatch]:
        while isinstance(item := box.get(), pa.RecordBatch):
            yield item
        if item is not None:
            raise item

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            write_deltalake,
            folder_of(location).location,
            pa.RecordBatchReader.from_batches(schema, handed_over()),
            mode="overwrite",
            schema_mode="overwrite",
            commit_properties=CommitProperties(custom_metadata={NOTED: json.dumps(noted, sort_keys=True)}),
        )
        try:
            for batch in batches:
                _hand_over(box, batch, writing)
            _hand_over(box, None, writing)
        except BaseException as error:
            if not writing.done():
                _hand_over(box, error, writing)
            raise
        writing.result()


def _hand_over(box: Queue[Any], item: Any, writing: Future[None]) -> None:
    """Puts an item into the box; should writing have failed meanwhile, its error is raised."""
    while True:
        try:
            box.put(item, timeout=0.5)
            return
        except Full:
            if writing.done():
                writing.result()


def commit_part(location: str, frame: DataFrame, attempt: str, number: int, noted: Mapping[str, Any]) -> None:
    """Writes a part of a run's predictions in one commit: the first replaces the table, the others add to it.

    A part that the log already has is not written again, whoever tries (Delta's transaction identifiers).

    Args:
        location: Path or URL of the table.
        frame: The rows.
        attempt: Names the run.
        number: Number of the part, from 0; parts are written in order.
        noted: Stored with the commit, JSON values.
    """
    place = folder_of(location)
    (
        frame.write.format("delta")
        .mode("append" if number else "overwrite")
        .option("overwriteSchema", "false" if number else "true")
        .option("userMetadata", json.dumps({NOTED: {**noted, "attempt": attempt}}, sort_keys=True))
        .option("txnAppId", attempt)
        .option("txnVersion", number)
        .save(f"file://{place.location}" if place.is_local else place.location)
    )


def _noted(commit: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was noted with a commit, by Spark or without; None if it is no one of predictions."""
    own = commit.get(NOTED)
    value = json.loads(own) if isinstance(own, str) else parse_metadata(commit.get("userMetadata")).get(NOTED)
    return value if isinstance(value, dict) else None
