"""A file of millions of bad records in few rows: the first faults one by one, the others summed by reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipelines.files.record import Fault

MAX_LISTED = 10_000
"""Faults of a file, of a part of a large one, or of a task's rows of a Delta table, that get a row each: as
many as anyone looks through. 844 bytes of Parquet can hold 20 million."""


class Faults:
    """The faults of one file as they come.

    Args:
        max_listed: How many are listed one by one.
    """

    def __init__(self, max_listed: int = MAX_LISTED) -> None:
        self._max_listed = max_listed
        self._others: dict[str, tuple[Fault, int]] = {}
        self.total = 0

    def take(self, fault: Fault) -> bool:
        """Counts a fault, and says whether it is one of those that are listed."""
        self.total += 1
        if self.total <= self._max_listed:
            return True
        first, count = self._others.get(fault.reason, (fault, 0))
        self._others[fault.reason] = first, count + 1
        return False

    def others(self) -> Iterator[Fault]:
        """What was not listed: for each reason the first fault, which counts for all of them."""
        for first, count in self._others.values():
            if count == 1:
                yield first
                continue
            told = (
                f"{count:,} records from here on, behind the first {self._max_listed:,} faults of the file; "
            )
            yield replace(first, detail=f"{told}of the first one: {first.detail}", records=count)
