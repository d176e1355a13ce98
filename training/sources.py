"""The tables that a training reads: checked against each other, joined to one range of ids, planned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conf.train import TrainConfig
from conf.urls import without_secrets
from ringlake.base.storage import Folder
from training.data.batches import Plan
from training.data.footers import Spread
from training.data.layout import Layout, join_layouts, read_layout
from training.data.mixture import MixturePlan
from training.data.plan import SamplePlan
from training.data.snapshot import Snapshot
from training.errors import DataError
from training.facts import target_of

_SHARED = ("sequence_length", "vocab_size", "tokenizer_hash", "token_bytes", "task")
"""What all tables of a training must have in common."""


@dataclass(frozen=True)
class TableUse:
    """What a training takes of one table.

    Attributes:
        table: Its path or URL.
        version: Its version.
        weight: Its share as `train.mixture` has it.
        sequences: Sequences that the plan takes of it.
        passes: Those over the sequences that it has.
        since: Version whose sequences are left out; None: none are.
    """

    table: str
    version: int
    weight: float
    sequences: int
    passes: float
    since: int | None = None


@dataclass(frozen=True)
class Sources:
    """What a training reads.

    Attributes:
        snapshots: The training sequences of each table, the run's own first.
        layout: Where all of them lie.
        plan: Which of them is in which global batch.
        weights: Share of each table.
        identity: Names, versions and contents of the tables, for checkpoints and the model card.
    """

    snapshots: tuple[Snapshot, ...]
    layout: Layout
    plan: Plan
    weights: tuple[float, ...]
    identity: dict[str, Any]

    def account(self, steps: int) -> list[TableUse]:
        """What the plan takes of each table in so many steps."""
        counts = self.plan.count_by_table(steps)
        return [
            TableUse(
                snapshot.table,
                snapshot.version,
                weight,
                count,
                count / snapshot.num_sequences,
                snapshot.since,
            )
            for snapshot, weight, count in zip(self.snapshots, self.weights, counts, strict=True)
        ]


def open_sources(
    config: TrainConfig, own: Snapshot, mixed: Sequence[Snapshot], spread: Spread | None = None
) -> Sources:
    """The tables of a training, from the footers of their files.

    Args:
        config: The train section.
        own: Training sequences of the run's own lake.
        mixed: Those of `train.mixture.lakes`, in their order.
        spread: See `training.data.footers.read_footers`.

    Raises:
        DataError: A table cannot be read, tables do not fit each other, or the plan does not fit them.
    """
    mixture = config.mixture
    if len(mixed) != len(mixture.lakes):
        raise DataError(
            f"train.mixture.lakes names {len(mixture.lakes)} lakes, but the sequences of {len(mixed)} were "
            f"given; give one snapshot for each"
        )
    for other in mixed:
        check_same(own, other, "all tables of a mixture must be made with the same tokenizer and length")
    snapshots = (own, *mixed)
    _refuse_twice(snapshots)
    layouts = [read_layout(snapshot, spread) for snapshot in snapshots]
    batch = _sequences_per_step(config, own.sequence_length)
    plan: Plan
    if mixed:
        plan = MixturePlan(
            table_sizes=tuple(layout.num_sequences for layout in layouts),
            ratio=mixture.ratio(),
            seed=config.seed,
            global_batch_size=batch,
            canonical_shards=config.canonical_shards,
            block_rows=tuple(layout.block_rows for layout in layouts),
        )
    else:
        plan = SamplePlan(
            num_sequences=layouts[0].num_sequences,
            seed=config.seed,
            global_batch_size=batch,
            canonical_shards=config.canonical_shards,
            block_rows=layouts[0].block_rows,
        )
    identity: dict[str, Any] = {"tokenizer": own.tokenizer_hash}
    if (target := target_of(own.task)) is not None:
        identity["target_tokenizer"] = target.tokenizer_hash
    for number, (snapshot, layout) in enumerate(zip(snapshots, layouts, strict=True)):
        identity |= {
            table_key("table", number): without_secrets(snapshot.table),
            table_key("version", number): snapshot.version,
            table_key("content", number): layout.fingerprint,
        }
        if snapshot.since is not None:
            identity[table_key("since", number)] = snapshot.since
    return Sources(
        snapshots=snapshots,
        layout=join_layouts(layouts) if mixed else layouts[0],
        plan=plan,
        weights=(mixture.weight, *(other.weight for other in mixture.lakes)),
        identity=identity,
    )


def table_key(name: str, number: int) -> str:
    """The key of a fact about a table: the run's own has number 0, those of `train.mixture.lakes` follow."""
    return name if number == 0 else f"mixture.{number}.{name}"


def check_same(first: Snapshot, second: Snapshot, rule: str) -> None:
    """DataError unless two snapshots share tokenizer, length and, of one table, version; it names both."""
    is_whole = first.since is None and second.since is None
    for name in (*_SHARED, "version") if is_whole and first.table == second.table else _SHARED:
        values = getattr(first, name), getattr(second, name)
        if values[0] != values[1]:
            raise DataError(
                f"the {first.split} sequences of {first.table} version {first.version} have {name} "
                f"{values[0]}, but the {second.split} sequences of {second.table} version {second.version} "
                f"{values[1]}; {rule}"
            )


def _refuse_twice(snapshots: Sequence[Snapshot]) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    for snapshot in snapshots:
        folder = Folder(snapshot.table)
        place = os.path.realpath(folder.local_path) if folder.is_local else snapshot.table
        span = (-1 if snapshot.since is None else snapshot.since, snapshot.version)
        for first, last in seen.setdefault(place, []):
            if max(first, span[0]) < min(last, span[1]):
                raise DataError(
                    f"the table {snapshot.table} is in train.mixture twice (the run's own lake is always in "
                    f"it), versions {first + 1} to {last} and {span[0] + 1} to {span[1]}; name each lake "
                    "once and change its weight instead, or part it: version of the one, since of the other"
                )
        seen[place].append(span)


def _sequences_per_step(config: TrainConfig, sequence_length: int) -> int:
    try:
        return config.sequences_per_step(sequence_length)
    except ValueError as error:
        raise DataError(str(error)) from None
