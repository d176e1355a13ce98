"""What a run costs with the prices of the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from conf.cost import CostConfig
from pipelines.lake import RunRecord
from pipelines.run.usage import Usage

_HOUR, _GIB = 3600, 2**30


def usage_of(record: RunRecord) -> Usage | None:
    """What a run of a stage used; None where it was recorded by a release that did not measure."""
    if record.cpu_seconds is None:
        return None
    return Usage(
        record.cpu_seconds, record.gpu_seconds or 0.0, record.read_bytes or 0, record.written_bytes or 0
    )


def total(records: Iterable[RunRecord]) -> Usage:
    """What some runs used together, as far as it was measured."""
    found = Usage()
    for record in records:
        found += usage_of(record) or Usage()
    return found


def money(usage: Usage, prices: CostConfig) -> float | None:
    """The price of what was used; None where no price is known.

    >>> money(Usage(cpu_seconds=7200), CostConfig(cpu_hour=0.05))
    0.1
    """
    parts = (
        (prices.cpu_hour, usage.cpu_seconds / _HOUR),
        (prices.gpu_hour, usage.gpu_seconds / _HOUR),
        (prices.gib_read, usage.read_bytes / _GIB),
        (prices.gib_written, usage.written_bytes / _GIB),
    )
    known = [price * amount for price, amount in parts if price is not None]
    return sum(known) if known else None
