"""What the ranks of a training exchanged: bytes for every step and, with asynchronous ranks, staleness."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipelines.report.facts import Spending, Staleness, Traffic
from pipelines.report.points import Point, curve, finite, in_order


def staleness(points: Sequence[Point], config: str) -> Staleness | None:
    """How stale gradients were over the whole training; None where ranks wait for each other in each step.

    Args:
        points: The lines of the metrics file.
        config: Configuration of the run as JSON, for the bound.
    """
    means, peaks = curve(points, "staleness"), curve(points, "staleness_max")
    ahead, ranks = curve(points, "steps_ahead_max"), curve(points, "ranks")
    if not (means and peaks and ahead and ranks):
        return None
    # A line is a mean over the gradients that came since the line before, mostly one a rank.
    counts = dict(zip(*_pairs(points, "updates"), strict=True))
    weights = [max(0.0, counts.get(step, 1.0)) for step in means.steps]
    missed = sum(value * weight for value, weight in zip(means.values, weights, strict=True))
    return Staleness(
        mean=missed / sum(weights) if sum(weights) else 0.0,
        most=int(max(peaks.values)),
        ahead=int(max(ahead.values)),
        bound=_bound(config),
        ranks=(int(ranks.values[0]), int(ranks.values[-1])),
        means=means,
        peaks=peaks,
    )


def traffic(points: Sequence[Point]) -> Traffic | None:
    """Bytes that were sent, and the losses over them; None where nothing was sent or nothing was counted."""
    sent, rings, complete = 0.0, 0.0, True
    spent: dict[str, list[tuple[float, float]]] = {"loss": [], "validation_loss": [], "ring": []}
    for point in in_order(points):
        sent += max(0.0, finite(point.get("sent_bytes")) or 0.0)
        ring = finite(point.get("ring_bytes"))
        complete = complete and ring is not None
        rings += max(0.0, ring or 0.0)
        for key in ("loss", "validation_loss"):
            value = finite(point.get(key))
            if value is not None and sent:
                spent[key].append((sent, value))
        value = finite(point.get("loss"))
        if value is not None and rings:
            spent["ring"].append((rings, value))
    if not sent:
        return None
    differs = complete and rings != sent
    return Traffic(
        total=int(sent),
        ring_total=int(rings) if complete else None,
        loss=_spending(spent["loss"]),
        validation=_spending(spent["validation_loss"]),
        ring_loss=_spending(spent["ring"] if differs else []),
    )


def _spending(found: Sequence[tuple[float, float]]) -> Spending:
    return Spending(tuple(num_bytes for num_bytes, _ in found), tuple(value for _, value in found))


def _pairs(points: Sequence[Point], key: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    found = curve(points, key)
    return found.steps, found.values


def _bound(config: str) -> int | None:
    try:
        bound = finite(json.loads(config)["train"]["strategy"]["parameter_server"]["max_staleness"], int)
    except (ValueError, KeyError, TypeError):
        return None
    return bound if isinstance(bound, int) else None
