"""The charts of the report, each drawn for a wide and for a narrow column."""

from __future__ import annotations

import math
from collections.abc import Callable

import altair as alt
import pandas as pd
from markupsafe import Markup

from pipelines.report.facts import Curve, LanguageCounts, Lengths, Scores, Training
from pipelines.report.svg import draw
from pipelines.text import display

WIDTHS = {"wide": 900, "narrow": 340}
"""Width in CSS pixels of each drawing; the style sheet shows the one that fits without shrinking its text."""

MAX_POINTS = 400
"""Points of a curve; a longer one is shown as means of equal stretches, and the caption says so."""

INK, SOFT, GRID = "var(--ink)", "var(--soft)", "var(--grid)"
FIRST, SECOND, FAINT = "var(--accent)", "var(--second)", "var(--faint)"

COUNT_LABEL = "format(datum.value, '~s')"
"""Labels of counts: 0, 500, 1.5k. As an axis format '~s' takes one unit for all ticks and says 0k."""

Draw = Callable[[int], alt.TopLevelMixin]


def both_widths(name: str, description: str, make: Draw) -> Markup:
    """Both drawings of a chart; the hidden one is hidden from screen readers too."""
    parts = [
        Markup('<div class="{}">{}</div>').format(
            kind, draw(_styled(make(width)), f"{name}-{kind}", description)
        )
        for kind, width in WIDTHS.items()
    ]
    return Markup("").join(parts)


def thinned(curve: Curve, most: int = MAX_POINTS) -> tuple[Curve, int]:
    """The curve with at most so many points, and how many measured points each of them averages."""
    group = math.ceil(len(curve.steps) / most) if len(curve.steps) > most else 1
    starts = range(0, len(curve.steps), group)
    steps = tuple(curve.steps[min(start + group, len(curve.steps)) - 1] for start in starts)
    values = tuple(
        sum(curve.values[start : start + group]) / len(curve.values[start : start + group])
        for start in starts
    )
    return Curve(steps, values), group


def loss_chart(training: Training, evaluation: Scores | None) -> Markup:
    """Training and validation loss, with the loss of the baselines as lines to stay below."""
    train, _ = thinned(training.loss)
    levels = [
        (name, score.loss)
        for name in ("unigram", "bigram")
        if evaluation and (score := evaluation.score(name)) and score.loss is not None
    ]

    def make(width: int) -> alt.TopLevelMixin:
        y = alt.Y("value:Q", title="loss, nats a token", scale=alt.Scale(zero=False, nice=True))
        layers: list[alt.Chart] = []
        for name, loss in levels:
            rule = alt.Chart(pd.DataFrame({"value": [loss], "name": [f"{name} {loss:.2f}"]}))
            layers.append(rule.mark_rule(color=SOFT, strokeDash=[2, 3], strokeWidth=1).encode(y=y))
            layers.append(
                rule.mark_text(align="right", dx=-2, dy=-6, color=SOFT, fontSize=11).encode(
                    x=alt.value("width"), y=y, text="name:N"
                )
            )
        x = alt.X("step:Q", title="step", axis=_axis(width), scale=alt.Scale(nice=False))
        if train:
            layers.append(alt.Chart(frame(train)).mark_line(color=FIRST, strokeWidth=1.5).encode(x=x, y=y))
        if training.validation:
            points = alt.Chart(frame(training.validation))
            layers.append(points.mark_line(color=SECOND, strokeWidth=1.5).encode(x=x, y=y))
            layers.append(points.mark_point(color=SECOND, filled=True, opacity=1, size=36).encode(x=x, y=y))
        return alt.layer(*layers).properties(width=width, height=260)

    last = f"ends at {train.values[-1]:.2f}" if train else "not recorded"
    description = f"Training loss by step, {last} nats a token"
    if training.validation:
        description += f"; validation loss ends at {training.validation.values[-1]:.2f}"
    description += "".join(f"; {name} baseline at {loss:.2f}" for name, loss in levels)
    return both_widths("loss", description, make)


def rate_chart(training: Training) -> Markup:
    """Tokens a second over the steps, from zero."""
    curve, _ = thinned(training.throughput)
    mean = sum(curve.values) / len(curve.values)
    return both_widths(
        "rate",
        f"Training throughput by step, {display.short(mean)} tokens a second on average",
        lambda width: _area(curve, width, "tokens/s", FIRST, counts(4)),
    )


def waiting_chart(training: Training) -> Markup:
    """The share of each stretch of steps that training waited for data."""
    curve, _ = thinned(training.waiting)
    mean = sum(curve.values) / len(curve.values)
    top = max(0.05, *curve.values)
    return both_widths(
        "waiting",
        f"Share of time that training waited for data, by step: {100 * mean:.1f}% on average",
        lambda width: _area(
            curve, width, "waiting for data", SECOND, alt.Axis(format="~%", tickCount=4), top
        ),
    )


def length_chart(lengths: tuple[Lengths, ...]) -> Markup:
    """Documents by length, in bins that double, before and after."""
    occupied = [number for item in lengths for number in item.bins]
    bins = range(min(occupied), max(occupied) + 1)
    colours = {"documents": FAINT, "corpus": FIRST}
    labels = [_power(number) for number in bins]

    def make(width: int) -> alt.TopLevelMixin:
        rows = pd.DataFrame(
            [
                {"table": item.table, "bin": _power(number), "documents": item.bins.get(number, 0)}
                for item in lengths
                for number in bins
            ]
        )
        every = max(1, math.ceil(len(labels) * 44 / width))
        ticks = labels[::every]
        x = alt.X(
            "bin:N", sort=labels, title="bytes of text, from", axis=alt.Axis(values=ticks, labelAngle=0)
        )
        y = alt.Y("documents:Q", title="documents", stack=None, axis=counts(5))
        colour = alt.Color(
            "table:N",
            legend=None,
            scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        )
        chart = alt.Chart(rows).mark_bar(cornerRadiusEnd=1.5)
        drawn: alt.TopLevelMixin = chart.encode(x=x, y=y, color=colour).properties(width=width, height=220)
        return drawn

    middle = "; ".join(
        f"{item.table}: half between {display.size(item.quantiles[1])} and {display.size(item.quantiles[3])}"
        for item in lengths
    )
    return both_widths("lengths", f"Histogram of document lengths in bytes. {middle}", make)


def language_chart(languages: LanguageCounts) -> Markup:
    """Documents judged and kept for each language, on a logarithmic scale since one language often rules."""
    shown = [row for row in languages.shown if row.judged]
    codes = [display.plain(row.code) for row in shown]
    rows = [
        {"code": code, "what": "judged", "documents": row.judged}
        for code, row in zip(codes, shown, strict=True)
    ]
    rows += [
        {"code": code, "what": "kept", "documents": row.kept}
        for code, row in zip(codes, shown, strict=True)
        if row.kept
    ]
    spans = [
        {"code": code, "low": row.kept or 1, "high": row.judged}
        for code, row in zip(codes, shown, strict=True)
    ]

    def make(width: int) -> alt.TopLevelMixin:
        scale = alt.Scale(type="log", nice=True)
        ticks = [10**power for power in range(len(str(max(row.judged for row in shown))) + 1)]
        x = alt.X(
            "documents:Q",
            title="documents (logarithmic)",
            scale=scale,
            axis=alt.Axis(values=ticks, labelExpr=COUNT_LABEL),
        )
        y = alt.Y("code:N", sort=codes, title=None)
        line = (
            alt.Chart(pd.DataFrame(spans))
            .mark_rule(color=FAINT, strokeWidth=3)
            .encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=y)
        )
        colour = alt.Color(
            "what:N", legend=None, scale=alt.Scale(domain=["judged", "kept"], range=[FAINT, FIRST])
        )
        dots = (
            alt.Chart(pd.DataFrame(rows))
            .mark_point(filled=True, opacity=1, size=60)
            .encode(x=x, y=y, color=colour)
        )
        return alt.layer(line, dots).properties(width=width, height=alt.Step(19))

    first = shown[0]
    return both_widths(
        "languages",
        f"Documents judged and kept for each of {len(shown)} languages; most are "
        f"{display.plain(first.code)}, {first.judged} judged",
        make,
    )


def _area(
    curve: Curve, width: int, title: str, colour: str, axis: alt.Axis, top: float | None = None
) -> alt.TopLevelMixin:
    x = alt.X("step:Q", title="step", axis=_axis(width), scale=alt.Scale(nice=False))
    scale = alt.Scale(domain=[0, top], nice=True) if top is not None else alt.Scale(zero=True)
    y = alt.Y("value:Q", title=title, scale=scale, axis=axis)
    base = alt.Chart(frame(curve)).encode(x=x, y=y)
    area = base.mark_area(color=colour, opacity=0.13)
    return alt.layer(area, base.mark_line(color=colour, strokeWidth=1.5)).properties(width=width, height=140)


def _axis(width: int) -> alt.Axis:
    return counts(max(3, width // 90))


def counts(ticks: int) -> alt.Axis:
    """An axis of counts with about so many ticks."""
    return alt.Axis(tickCount=ticks, labelExpr=COUNT_LABEL)


def frame(curve: Curve) -> pd.DataFrame:
    """The points of a curve, columns `step` and `value`."""
    return pd.DataFrame({"step": curve.steps, "value": curve.values})


def _power(number: int) -> str:
    """2 to the power as a short binary size: 5 -> '32', 10 -> '1 Ki'."""
    units, rest = divmod(number, 10)
    return f"{2**rest}{('', ' Ki', ' Mi', ' Gi', ' Ti')[units]}"


def _styled(chart: alt.TopLevelMixin) -> alt.TopLevelMixin:
    styled: alt.TopLevelMixin = (
        chart.properties(
            background="transparent", padding=2, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
        )
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=SOFT,
            titleColor=SOFT,
            titleFontWeight="normal",
            labelFontSize=11.5,
            titleFontSize=11.5,
            titlePadding=8,
            gridColor=GRID,
            domainColor=GRID,
            tickColor=GRID,
            labelLimit=220,
        )
        .configure_axisX(grid=False)
        .configure_axisY(domain=False, ticks=False)
    )
    return styled
