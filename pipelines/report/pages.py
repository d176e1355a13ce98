"""How a page is rendered: escaped, with the filters that all pages have and the style that they share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import jinja2

from pipelines.text import display

STYLE = "style.css"

_HOME = "pipelines.report"


def page_environment(package: str) -> jinja2.Environment:
    """Renders the templates of a package; `style.css` is the one that all pages share.

    Values are hostile: autoescape is on, and the filter `visible` shows what cannot be seen.

    Args:
        package: Where the templates lie.
    """

    def source(name: str) -> str:
        home = _HOME if name == STYLE else package
        return resources.files(home).joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "visible": display.visible,
        "name": display.name,
        "plain": display.plain,
        "count": display.count,
        "short": display.short,
        "size": display.size,
        "duration": display.duration,
        "decimal": display.decimal,
        "measure": display.measure,
    }
    environment.filters |= filters
    environment.globals |= {"share": display.share}
    return environment
