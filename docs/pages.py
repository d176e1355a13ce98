"""The pages of `docs/reference/` by name, and which of those on disk differ from what the code gives.

They are made here and not in `pipelines/`, which is what is installed: only a checkout has pages to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docs import api, commands, configuration, tables

FOLDER = Path(__file__).resolve().parent / "reference"
"""Where the pages lie; nothing else lies there."""

NOTICE = "<!-- Made from the code by `make reference`; change the code, not this page. -->\n\n"


def pages() -> dict[str, str]:
    """The text of every page by the name of its file."""
    return {
        "tables.md": NOTICE + tables.page(),
        "configuration.md": NOTICE + configuration.page(),
        "commands.md": NOTICE + commands.page(),
        "api.md": NOTICE + api.page(),
    }


def stale(made: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """Names of the files that are missing, differ from what was made, or are none of the pages."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")}
    return sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
