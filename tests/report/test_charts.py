"""Charts: static, safe, in the colours of the page."""

from __future__ import annotations

import altair as alt
import pandas as pd
import pytest

from pipelines.report import charts, svg
from pipelines.report.facts import Curve, Language, LanguageCounts, Lengths
from tests.report.page import Page


def test_a_hostile_label_is_text() -> None:
    hostile = '<script>alert(1)</script>\u202e"'
    drawn = charts.language_chart(
        LanguageCounts((Language(hostile, 9, 3, 100), Language("en", 5, 0, 0)), None, 0)
    )
    page = Page(str(drawn))
    assert {tag for tag, _ in page.elements} <= {"div", "svg", "g", "path", "line", "text", "rect", "circle"}
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in drawn
    assert "U+202E" in page.text


def test_colours_are_left_to_the_page() -> None:
    drawn = charts.length_chart((Lengths("documents", {3: 4, 5: 6}, (8.0, 9.0, 33.0, 40.0, 50.0)),))
    page = Page(str(drawn))
    fills = {attributes.get(name, "none") for _, attributes in page.elements for name in ("fill", "stroke")}
    assert any(value.startswith("var(--") for value in fills)
    assert not {value for value in fills if value.startswith("#") or value == "black"}
    # 2 ** 3 and 2 ** 5, and the empty bin between them.
    assert "81632" in page.text


def test_it_scales_with_its_column_and_is_named() -> None:
    chart = alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q")
    [attributes] = Page(str(svg.draw(chart, "one", 'dots "and" <more>'))).all("svg")
    assert attributes["role"] == "img"
    assert attributes["aria-label"] == 'dots "and" <more>'
    assert "width" not in attributes
    assert attributes["viewbox"].startswith("0 0 ")


def test_an_image_is_refused() -> None:
    frame = pd.DataFrame({"url": ["http://evil.example/x.png"], "x": [1]})
    chart = alt.Chart(frame).mark_image(width=9, height=9).encode(x="x:Q", url="url:N")
    with pytest.raises(ValueError, match="image"):
        svg.draw(chart, "bad", "")


def test_a_long_curve_is_drawn_as_means_of_equal_stretches() -> None:
    curve = Curve(tuple(range(1, 11)), (1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0))
    short, group = charts.thinned(curve, most=4)
    assert group == 3
    assert short.steps == (3, 6, 9, 10)
    assert short.values == (3.0, 9.0, 15.0, 19.0)
    assert charts.thinned(curve, most=10) == (curve, 1)
