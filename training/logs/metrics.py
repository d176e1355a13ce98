"""The log of a training: one JSON line a step, never a step twice."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ringlake.base.seeds import GOLDEN, finalise
from ringlake.base.storage import Folder

METRICS_FILE = "metrics.jsonl"

_HASH_BITS = 40
"""Bits of a batch's hash: sums over 2**13 ranks stay exact in the float64 that the ranks add up."""


STORE_SECONDS = 30.0
"""How long lines wait on a file system where each append is a file's close (HDFS, object stores)."""


class MetricsLog:
    """Appends a line a step to `metrics.jsonl` of a folder.

    On a local disk a line is with the operating system when `write` returns. Elsewhere lines are stored by
    `store`, which comes before each checkpoint, and every `STORE_SECONDS`: a crash loses only lines of steps
    that are done again. A temporary file here has them all: where nothing can be appended, as on HDFS
    after the loss of the DataNode that was written to, the log is written anew.

    Args:
        folder: The folder.
        last_step: Step that training goes on from; later lines, of steps that a crash undid, are cut.
    """

    def __init__(self, folder: Folder, last_step: int) -> None:
        folder.create()
        kept = b"".join(_lines_until(folder, last_step))
        folder.replace(METRICS_FILE, kept)
        self._folder = folder
        self._waiting: list[bytes] = []
        self._stored = time.monotonic()
        self._handle: Any = None
        self._copy: Any = None
        if folder.is_local:
            self._context = folder.open(METRICS_FILE, "ab")
            self._handle = self._context.__enter__()
        else:
            self._copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the log
            self._copy.write(kept)

    def write(self, line: dict[str, Any]) -> None:
        """Append a line."""
        text = json.dumps(line).encode() + b"\n"
        if self._handle is not None:
            self._handle.write(text)
            self._handle.flush()
            return
        self._waiting.append(text)
        self._copy.write(text)
        if time.monotonic() - self._stored >= STORE_SECONDS:
            self.store()

    def store(self) -> None:
        """Store the lines that wait."""
        if self._waiting:
            try:
                self._folder.append(METRICS_FILE, b"".join(self._waiting))
            except Exception:  # noqa: BLE001 - a client of a file system may raise anything
                self._copy.seek(0)
                self._folder.replace(METRICS_FILE, self._copy.read())
            self._waiting.clear()
        self._stored = time.monotonic()

    def close(self) -> None:
        """Store what waits and close the file."""
        try:
            self.store()
        finally:
            if self._handle is not None:
                self._context.__exit__(None, None, None)
            else:
                self._copy.close()


def read_metrics(folder: Folder) -> list[dict[str, Any]]:
    """All whole lines, in order."""
    return [json.loads(line) for line in _lines_until(folder, None)]


def hash_ids(ids: npt.NDArray[np.int64]) -> int:
    """A hash of a set of sequence ids below 2**40; hashes of disjoint parts add up, see `combine_hashes`.

    Every id goes through splitmix64's finaliser, so that equal sums of different batches are as unlikely as
    equal random numbers.
    """
    values = finalise(ids.astype(np.uint64) + np.uint64(GOLDEN))
    total = int(np.sum(values, dtype=np.uint64))
    return total % (1 << _HASH_BITS)


def combine_hashes(total: float) -> str:
    """The hash of a global batch as text, from the sum of its ranks' hashes."""
    return f"{int(total) % 2**_HASH_BITS:010x}"


def _lines_until(folder: Folder, last_step: int | None) -> Iterable[bytes]:
    if not folder.exists(METRICS_FILE):
        return
    for line in folder.read(METRICS_FILE).splitlines(keepends=True):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError):
            # A line that a crash cut short.
            continue
        if line.endswith(b"\n") and (last_step is None or step <= last_step):
            yield line
