"""The batches of a plan once more, and one hash that commits to all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.data.batches import Ids, Plan
from training.data.schedule import training_schedule
from training.logs.metrics import combine_hashes, hash_ids

CHAIN = "ringlake-batches/1"
"""First line of what the chain hashes."""


def batches(plan: Plan, steps: int) -> Iterator[Ids]:
    """The sequence ids of the global batches of steps [0, steps), as one rank would read them."""
    for run in training_schedule(plan, 0, 1, 0, steps)():
        parts = [draw.segment.ids.reshape(run.steps, -1) for draw in run.draws]
        yield from np.concatenate(parts, axis=1)


@dataclass
class Replay:
    """What the steps of a plan were to read.

    Attributes:
        ids_hashes: `ids_hash` of each step, as the log has it.
        counts: Sequences of each step.
        chain: SHA-256 over lines that end in a line feed: CHAIN; the plan's parameters as JSON with sorted
            keys and without spaces; and for each step, counted from 1, `STEP IDS_HASH SHA`, where SHA is the
            SHA-256 of the step's sorted ids, eight bytes each, little-endian.
    """

    ids_hashes: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    chain: str = ""

    @property
    def sequences(self) -> int:
        """Sequences of all steps."""
        return sum(self.counts)


def replay(plan: Plan, steps: int) -> Replay:
    """What the first steps of a plan were to read."""
    found = Replay()
    digest = hashlib.sha256(f"{CHAIN}\n{_canonical(plan.parameters())}\n".encode())
    for step, ids in enumerate(batches(plan, steps), start=1):
        told = combine_hashes(hash_ids(ids))
        exact = hashlib.sha256(np.sort(ids).astype("<i8").tobytes()).hexdigest()
        digest.update(f"{step} {told} {exact}\n".encode())
        found.ids_hashes.append(told)
        found.counts.append(len(ids))
    found.chain = digest.hexdigest()
    return found


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
