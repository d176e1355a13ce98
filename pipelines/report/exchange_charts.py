"""The charts of what ranks exchanged: loss over bytes, and staleness."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import pandas as pd
from markupsafe import Markup

from pipelines.report.charts import FAINT, FIRST, SECOND, both_widths, counts, frame, thinned
from pipelines.report.facts import Curve, Spending, Staleness, Traffic
from pipelines.text import display

BYTES_LABEL = "replace(format(datum.value, '~s'), regexp('([kMGTPE]?)$'), ' $1B')"
"""Labels of bytes: 1 kB, 10 MB."""

STRETCHES = 60
"""Points for each power of ten of bytes; a point is the mean over its stretch of the axis."""

BEFORE = 2
"""Powers of ten that the axis begins before the smallest sum: until its first average local SGD sends some
hundred bytes a step, which would take half of the axis."""


def bytes_chart(traffic: Traffic) -> Markup:
    """Loss over the bytes sent, on a logarithmic axis, beside the bytes that a ring would have sent.

    Strategies differ by powers of ten in what they send, so only a logarithm shows two of them.
    """
    train, ring = averaged(traffic.loss), averaged(traffic.ring_loss)
    ends = [value for part in (train, ring, traffic.validation) for value in part.num_bytes]
    most = math.ceil(math.log10(max(ends)))
    sums = [part.num_bytes[-1] for part in (train, ring) if part]
    least = max(math.floor(math.log10(min(ends))), math.floor(math.log10(min(sums))) - BEFORE)
    train, ring, validation = (_from(10.0**least, part) for part in (train, ring, traffic.validation))

    def make(width: int) -> alt.TopLevelMixin:
        every = max(1, math.ceil((most - least) * 48 / width))
        ticks = [10**power for power in range(least, most + 1, every)]
        x = alt.X(
            "bytes:Q",
            title="bytes sent by all processes (logarithmic)",
            scale=alt.Scale(type="log", domain=[10**least, 10 ** max(most, least + 1)]),
            axis=alt.Axis(values=ticks, labelExpr=BYTES_LABEL),
        )
        y = alt.Y("value:Q", title="loss, nats a token", scale=alt.Scale(zero=False, nice=True))
        layers: list[alt.Chart] = []
        for part, colour, dash in ((ring, FAINT, [4, 3]), (train, FIRST, [1, 0])):
            if part:
                line = alt.Chart(_frame(part)).mark_line(color=colour, strokeWidth=1.5, strokeDash=dash)
                layers.append(line.encode(x=x, y=y, order="bytes:Q"))
        if validation:
            points = alt.Chart(_frame(validation))
            layers.append(points.mark_point(color=SECOND, filled=True, opacity=1, size=36).encode(x=x, y=y))
        return alt.layer(*layers).properties(width=width, height=240)

    description = f"Training loss by bytes sent, on a logarithmic axis: {display.size(traffic.total)} in all"
    if traffic.ring_loss:
        description += f"; a ring would have sent {display.size(traffic.ring_total)}"
    return both_widths("bytes", description, make)


def staleness_chart(staleness: Staleness) -> Markup:
    """Updates by others that a gradient had not seen: mean and most, by step."""
    means, group = thinned(staleness.means)
    peaks = _highest(staleness.peaks, group)

    def make(width: int) -> alt.TopLevelMixin:
        x = alt.X("step:Q", title="step", axis=counts(max(3, width // 90)), scale=alt.Scale(nice=False))
        y = alt.Y(
            "value:Q",
            title="updates not seen",
            scale=alt.Scale(domainMin=0, nice=True),
            axis=alt.Axis(tickCount=4, tickMinStep=1, format="d"),
        )
        layers = [
            alt.Chart(frame(part)).mark_line(color=colour, strokeWidth=1.5).encode(x=x, y=y)
            for part, colour in ((peaks, FAINT), (means, FIRST))
        ]
        return alt.layer(*layers).properties(width=width, height=140)

    return both_widths(
        "staleness",
        f"Staleness by step: updates by others that a gradient had not seen, {staleness.mean:.2f} on average "
        f"and {staleness.most} at most",
        make,
    )


def averaged(spending: Spending) -> Spending:
    """Means over stretches that are equal on a logarithmic axis, each at the last of its bytes."""
    stretches: dict[int, list[tuple[float, float]]] = {}
    for num_bytes, value in zip(spending.num_bytes, spending.values, strict=True):
        stretches.setdefault(math.floor(math.log10(num_bytes) * STRETCHES), []).append((num_bytes, value))
    return Spending(
        tuple(points[-1][0] for points in stretches.values()),
        tuple(sum(value for _, value in points) / len(points) for points in stretches.values()),
    )


def _from(least: float, spending: Spending) -> Spending:
    kept = [pair for pair in zip(spending.num_bytes, spending.values, strict=True) if pair[0] >= least]
    return Spending(tuple(num_bytes for num_bytes, _ in kept), tuple(value for _, value in kept))


def _highest(curve: Curve, group: int) -> Curve:
    starts = range(0, len(curve.steps), group)
    return Curve(
        tuple(curve.steps[_last(start, group, curve.steps)] for start in starts),
        tuple(max(curve.values[start : start + group]) for start in starts),
    )


def _last(start: int, group: int, steps: Sequence[int]) -> int:
    return min(start + group, len(steps)) - 1


def _frame(spending: Spending) -> pd.DataFrame:
    return pd.DataFrame({"bytes": spending.num_bytes, "value": spending.values})
