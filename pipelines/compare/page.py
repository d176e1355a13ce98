"""`compare.html`: the verdict for people, one file that loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.compare.place import Place
from pipelines.report.pages import page_environment

PACKAGE = "pipelines.compare"
TEMPLATE = "compare.html.jinja"

_WIDTH = 640
_MARGIN = 16


def write_page(result: Mapping[str, Any], kept: list[dict[str, Any]], place: Place) -> None:
    """Writes the page.

    Args:
        result: What compare.json has.
        kept: What `differences` gives.
        place: The comparison.
    """
    place.page.replace(render(result, kept))


def render(result: Mapping[str, Any], kept: list[dict[str, Any]]) -> str:
    """The page of a result."""
    template = page_environment(PACKAGE).get_template(TEMPLATE)
    return template.render(
        result=result,
        kept=kept,
        scale=_scale(result),
        width=_WIDTH,
        signed=_signed,
        has_money=_has_money(result),
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}"


def _scale(result: Mapping[str, Any]) -> Any:
    """Places differences on a line with 0 in the middle."""
    values = [
        abs(value)
        for pair in result["pairs"]
        for value in (*pair["interval"], *pair["by_seed"], pair["difference_bits_per_byte"])
    ]
    most = max(values) or 1.0

    def place(value: float) -> str:
        return f"{_WIDTH / 2 + value / most * (_WIDTH / 2 - _MARGIN):.1f}"

    return place


def _has_money(result: Mapping[str, Any]) -> bool:
    return any(cost["corpus"]["money"] is not None for cost in result["cost"].values())
