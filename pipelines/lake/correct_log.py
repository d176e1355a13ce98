"""A table's log brought in line with files that were rewritten: size and statistics in every entry.

The statistics of a log hold the beginnings of the least and greatest texts of each file. Those of rewritten
files are made anew without texts, and those of files that are gone lose them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.lake.paths import Lake
from pipelines.lake.rewrite import LOG, drop_checksum, opened
from ringlake.base.storage import Folder, arrow_filesystem

_RANGES = ("minValues", "maxValues")

Action = dict[str, Any]


def logged_files(lake: Lake, name: str) -> dict[str, dict[str, Any]]:
    """By path every data file that an entry of the log adds, with what the writer noted in that commit.

    A file that only a checkpoint of the log knows has no notes.
    """
    log = lake.tables.child(name).child(LOG)
    found: dict[str, dict[str, Any]] = {}
    for entry in log.names():
        if _is_checkpoint(entry):
            for action in _checkpoint(log, entry).column("add").to_pylist():
                if action is not None:
                    found.setdefault(unquote(action["path"]), {})
    for entry in log.names():
        if _is_commit(entry):
            actions = _actions(log, entry)
            noted: dict[str, Any] = next((each["commitInfo"] for each in actions if "commitInfo" in each), {})
            for action in actions:
                if "add" in action:
                    found[unquote(action["add"]["path"])] = {**noted, "commit": entry}
    return found


def correct_log(lake: Lake, name: str, changed: Collection[str]) -> None:
    """Makes every entry of a table's log say of some files what they are now.

    Each file of the log is replaced as a whole; repeated after a crash it comes to the same.

    Args:
        lake: The lake.
        name: Its table.
        changed: Paths of the files that were rewritten or deleted, relative to the table's folder.
    """
    folder = lake.tables.child(name)
    log = folder.child(LOG)
    facts = _Facts(folder, set(changed))
    for entry in log.names():
        if entry.startswith("."):
            continue
        if entry.endswith(".crc") or entry == "_last_checkpoint":
            # Both can be made again of the rest, and the first may have the entries of all files.
            drop_checksum(log, entry)
            log.delete(entry)
        elif _is_commit(entry):
            actions = _actions(log, entry)
            if sum(facts.correct(action) for action in actions):
                _replace(log, entry, "".join(_line(action) for action in actions).encode())
        elif _is_checkpoint(entry):
            _correct_checkpoint(log, entry, facts)


def refuse_unknown_log(lake: Lake, name: str, paths: Collection[str]) -> None:
    """InputError where a table's files cannot be rewritten under their names.

    Rows that a deletion vector deletes are told by their numbers in the file, and checkpoints of the second
    kind have their entries in files of their own: nothing that ringlake writes has either.
    """
    log = lake.tables.child(name).child(LOG)
    where = f"table {name!r} of the lake {lake.location}"
    remedy = "rewrite it first (REORG TABLE ... APPLY (PURGE), then VACUUM)"
    if log.exists("_sidecars"):
        raise InputError(f"{where} has checkpoints with sidecars (v2), which forget cannot rewrite; {remedy}")
    for entry in log.names():
        if _is_commit(entry):
            actions = [action["add"] for action in _actions(log, entry) if "add" in action]
        elif _is_checkpoint(entry):
            actions = [action for action in _checkpoint(log, entry).column("add").to_pylist() if action]
        else:
            continue
        for action in actions:
            if action.get("deletionVector") and unquote(action["path"]) in paths:
                raise InputError(
                    f"{where} has deletion vectors, which count the rows of files that would be rewritten; "
                    f"{remedy}"
                )


class _Facts:
    """What the files of a table are now, each looked at once."""

    def __init__(self, folder: Folder, changed: set[str]) -> None:
        self._folder, self._changed = folder, changed
        self._there = set(folder.all_files())
        self._known: dict[str, tuple[int, str | None]] = {}

    def correct(self, action: Action) -> bool:
        """Corrects an entry in place; whether anything of it changed."""
        before = json.dumps(action, sort_keys=True, default=str)
        for kind in ("add", "remove"):
            entry = action.get(kind)
            if entry is None:
                continue
            path = unquote(entry["path"])
            if path in self._there and path not in self._changed:
                continue
            if path in self._there:
                size, stats = self._of(path, entry.get("stats"))
                if entry.get("size") is not None:
                    entry["size"] = size
            else:
                stats = entry.get("stats") and _without_texts(entry["stats"])
            if entry.get("stats"):
                entry["stats"] = stats
            if "stats_parsed" in entry:
                entry["stats_parsed"] = None
        return json.dumps(action, sort_keys=True, default=str) != before

    def _of(self, path: str, stats: str | None) -> tuple[int, str | None]:
        if path not in self._known or (stats and self._known[path][1] is None):
            place, _, name = f"{self._folder.location}/{path}".rpartition("/")
            self._known[path] = (
                Folder(place).size(name),
                _stats(self._folder, path, stats) if stats else None,
            )
        return self._known[path]


def _stats(folder: Folder, path: str, old: str) -> str:
    """Statistics of a file as it is now: of the columns that had some, those that are numbers."""
    told = json.loads(old)
    with opened(folder, path) as file:
        found: dict[str, Any] = {"numRecords": file.metadata.num_rows}
        names = [
            name
            for name, value in (told.get("minValues") or {}).items()
            if isinstance(value, (int, float)) and name in file.schema_arrow.names
        ]
        if names and file.metadata.num_rows:
            table = file.read(columns=names)
            ranges = {name: pc.min_max(table.column(name)).as_py() for name in names}
            found["minValues"] = {name: each["min"] for name, each in ranges.items()}
            found["maxValues"] = {name: each["max"] for name, each in ranges.items()}
            found["nullCount"] = {name: table.column(name).null_count for name in names}
    return json.dumps(found, separators=(",", ":"))


def _without_texts(stats: str) -> str:
    told = json.loads(stats)
    for key in _RANGES:
        if key in told:
            told[key] = {name: value for name, value in told[key].items() if isinstance(value, (int, float))}
    return json.dumps(told, separators=(",", ":"))


def _correct_checkpoint(log: Folder, entry: str, facts: _Facts) -> None:
    table = _checkpoint(log, entry)
    changed = False
    for kind in ("add", "remove"):
        if kind not in table.column_names:
            continue
        actions = [{kind: value} for value in table.column(kind).to_pylist()]
        if sum(facts.correct(action) for action in actions if action[kind] is not None):
            changed = True
            place = table.schema.get_field_index(kind)
            column = pa.array([action[kind] for action in actions], table.schema.field(kind).type)
            table = table.set_column(place, table.schema.field(kind), column)
    if changed:
        drop_checksum(log, entry)
        with log.replacing(entry) as stream:
            pq.write_table(table, stream, compression="snappy")


def _checkpoint(log: Folder, entry: str) -> pa.Table:
    filesystem, place = arrow_filesystem(f"{log.location}/{entry}")
    with filesystem.open_input_file(place) as stream:
        return pq.read_table(stream)


def _is_commit(entry: str) -> bool:
    return entry.endswith(".json") and not entry.startswith(".")


def _is_checkpoint(entry: str) -> bool:
    return ".checkpoint." in entry and entry.endswith(".parquet") and not entry.startswith(".")


def _actions(log: Folder, entry: str) -> list[Action]:
    return [json.loads(line) for line in log.read(entry).splitlines() if line.strip()]


def _line(action: Action) -> str:
    return json.dumps(action, separators=(",", ":"), ensure_ascii=False) + "\n"


def _replace(log: Folder, entry: str, content: bytes) -> None:
    """Replaces a commit; its time stays, by which versions are asked for."""
    drop_checksum(log, entry)
    if not log.is_local:
        log.replace(entry, content)
        return
    place = Path(log.local_path, entry)
    times = place.stat()
    log.replace(entry, content)
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
