"""Lakes that daily batches are added to: what whole stages must not do to them."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake
from pipelines.stages import Stage
from schemas.batches import BATCHES

OF_BATCHES = ("ingest", "clean", "repeats", "dedup", "tokenize", "mix", "pack")
"""Stages whose tables batches are added to, or which a lake of batches cannot have."""

FOLDER = "batches"
"""Folder of a lake in which a batch is made."""


def has_batches(lake: Lake) -> bool:
    """Whether daily batches are added to a lake, or a first one was begun."""
    return lake.root.child(FOLDER).is_folder() or Catalog(lake).exists(BATCHES.name)


def refuse_unfinished_batch(lake: Lake) -> None:
    """InputError while a batch is being made, whose own lake has texts that are in no table yet."""
    if any(lake.root.child(FOLDER).names()):
        raise InputError(
            f"the lake {lake.location} has a daily batch that was not finished; finish it first with "
            "ringlake run RUN.yaml --incremental"
        )


def refuse_named(lake: Lake, what: str) -> None:
    """InputError where tables have names in a catalog, for what needs their files."""
    if lake.names is not None:
        raise InputError(f"{what} works on tables in folders, and {lake.location} names tables of a catalog")


def refuse_whole(lake: Lake, stages: Sequence[Stage]) -> None:
    """InputError if stages would overwrite what batches have made of a lake."""
    own = [stage.name for stage in stages if stage.name in OF_BATCHES]
    if own and has_batches(lake):
        raise InputError(
            f"the lake {lake.location} has daily batches, which {', '.join(own)} would overwrite; add to "
            "them with ringlake run RUN.yaml --incremental, or take another lake for a whole run"
        )
