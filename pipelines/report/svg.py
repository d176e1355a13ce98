"""An Altair chart as inline SVG: no script, no outside reference, colours left to the page's style sheet."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import altair as alt
import vl_convert
from markupsafe import Markup

ELEMENTS = frozenset(
    {"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath", "title"}
)
"""What a static chart needs. Anything else (script, foreignObject, image, a) has no business in one."""

_NOISE = re.compile(r"^(aria-|role$|class$|pointer-events$|version$|stroke-miterlimit$)")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def draw(chart: alt.TopLevelMixin, name: str, description: str) -> Markup:
    """The chart as an `<svg>` element that scales with its column.

    Colours are CSS variables of the page (`var(--accent)`), so light and dark need one drawing only.

    Args:
        chart: What to draw.
        name: Unique on the page; keeps the ids of several drawings apart.
        description: What a reader who cannot see it should know.

    Raises:
        ValueError: The drawing holds an element or attribute that a static chart has no use for.
    """
    # vl_convert wrote this XML a moment ago and escapes the text in it; it has no entities.
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(chart.to_dict()))  # noqa: S314
    for element in root.iter():
        _tidy(element, name)
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    root.attrib |= {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": description}
    root.set("style", f"max-width:{width}px")
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704


def _tidy(element: ElementTree.Element, name: str) -> None:
    element.tag = element.tag.rpartition("}")[2]
    if element.tag not in ELEMENTS:
        raise ValueError(
            f"chart {name!r} holds an element <{element.tag}>; a static chart has {sorted(ELEMENTS)}"
        )
    for key, value in list(element.attrib.items()):
        if key.lower().startswith("on") or "href" in key.lower():
            raise ValueError(
                f"chart {name!r} holds an attribute {key}={value!r}, which could reach out of it"
            )
        if _NOISE.match(key):
            del element.attrib[key]
        elif key == "id":
            element.set(key, f"{name}-{value}")
        else:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
