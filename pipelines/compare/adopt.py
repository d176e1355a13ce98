"""A stage that another lake has run: its tables are linked, and its row goes into this lake's ledger.

Files of a Delta table are never changed once they are written, so that two lakes can have the same ones;
those of the log are copied, since Spark writes some of them anew. A lake that adopts a table and then
replaces it leaves the other's as it is.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.lake import Lake, Ledger, RunRecord
from pipelines.stages import Stage

ADOPTED = "adopted_from"
"""Under this key of a run's details the ledger has the lake in which a stage was run."""

ADOPTED_RUN = "adopted_run"
"""Likewise the id of that run."""

_LOG = "_delta_log"
_BY_CONTENT = ("tokenizers", "embeddings")
"""Folders whose entries are named by content."""


def adopt(source: Lake, target: Lake, stages: Sequence[Stage]) -> list[str]:
    """Takes over the newest successful run of some stages from another lake, with the tables that it wrote.

    A stage whose newest run the target has already is left as it is. Killed at any moment, the same call does
    the rest.

    Args:
        source: A lake that has run them.
        target: The lake that shall have them; made if it is not there.
        stages: The stages, in order.

    Returns:
        The names of the stages that were taken over now.
    """
    target.create()
    there, here = Ledger(source), Ledger(target)
    adopted = []
    for stage in stages:
        record, own = there.latest(stage.name), here.latest(stage.name)
        if record is None or (own is not None and _origin(own) == _origin(record)):
            continue
        for table in record.outputs:
            _link_table(source, target, table)
        for name in _BY_CONTENT:
            _link_new(source.root.local_path / name, target.root.local_path / name)
        noted = {ADOPTED: record.details.get(ADOPTED, source.location), ADOPTED_RUN: _origin(record)}
        # A run that was taken over before, and replaced since, is a row of its own.
        known = {each.run_id for each in here.records()}
        run_id = uuid.uuid4().hex if record.run_id in known else record.run_id
        here.append(replace(record, run_id=run_id, details={**record.details, **noted}))
        adopted.append(stage.name)
    return adopted


def _origin(record: RunRecord) -> str:
    """Id of the run that made what a run stands for."""
    return str(record.details.get(ADOPTED_RUN, record.run_id))


def _link_table(source: Lake, target: Lake, table: str) -> None:
    made = target.root.local_path / f".adopting-{table}"
    shutil.rmtree(made, ignore_errors=True)
    _link_tree(Path(source.table(table)), made)
    place = Path(target.table(table))
    shutil.rmtree(place, ignore_errors=True)
    made.rename(place)


def _link_new(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    for entry in sorted(source.iterdir()):
        if not (target / entry.name).exists():
            made = target.parent / f".adopting-{entry.name}"
            shutil.rmtree(made, ignore_errors=True)
            _link_tree(entry, made)
            target.mkdir(exist_ok=True)
            made.rename(target / entry.name)


def _link_tree(source: Path, target: Path) -> None:
    """A folder whose files are those of another one; those of the log are copies."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_symlink():
            continue
        if entry.is_dir():
            _link_tree(entry, place)
        elif _LOG in entry.parts:
            shutil.copy2(entry, place)
        else:
            _link(entry, place)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without links.
        shutil.copy2(source, target)
