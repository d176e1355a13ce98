"""The log of a training: one JSON line a step, never a step twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from training.storage import Folder

METRICS_FILE = "metrics.jsonl"

_HASH_BITS = 40
"""Bits of a batch's hash: sums over 2**13 ranks stay exact in the float64 that the ranks add up."""


class MetricsLog:
    """Appends a line a step to `metrics.jsonl` of a folder.

    Args:
        folder: The folder.
        last_step: Step that training goes on from; later lines, of steps that a crash undid, are cut.
    """

    def __init__(self, folder: Folder, last_step: int) -> None:
        folder.create()
        kept = b"".join(_lines_until(folder, last_step))
        folder.replace(METRICS_FILE, kept)
        self._context = folder.open(METRICS_FILE, "ab")
        self._handle = self._context.__enter__()

    def write(self, line: dict[str, Any]) -> None:
        """Append a line and hand it to the operating system."""
        self._handle.write(json.dumps(line).encode() + b"\n")
        self._handle.flush()

    def close(self) -> None:
        """Close the file."""
        self._context.__exit__(None, None, None)


def read_metrics(folder: Folder) -> list[dict[str, Any]]:
    """All whole lines, in order."""
    return [json.loads(line) for line in _lines_until(folder, None)]


def hash_ids(ids: npt.NDArray[np.int64]) -> int:
    """A hash of a set of sequence ids below 2**40; hashes of disjoint parts add up, see `combine_hashes`.

    Every id goes through splitmix64's finaliser (Steele, Lea and Flood, OOPSLA 2014), so that equal sums
    of different batches are as unlikely as equal random numbers.
    """
    values = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return int(np.sum(values, dtype=np.uint64)) % 2**_HASH_BITS


def combine_hashes(total: float) -> str:
    """The hash of a global batch as text, from the sum of its ranks' hashes."""
    return f"{int(total) % 2**_HASH_BITS:010x}"


def _lines_until(folder: Folder, last_step: int | None) -> Iterable[bytes]:
    if not folder.exists(METRICS_FILE):
        return
    with folder.open(METRICS_FILE, "rb") as handle:
        for line in handle:
            try:
                step = json.loads(line)["step"]
            except (ValueError, KeyError, TypeError):
                # A line that a crash cut short.
                continue
            if line.endswith(b"\n") and (last_step is None or step <= last_step):
                yield line
