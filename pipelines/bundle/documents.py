"""Plain trees of lists and mappings as YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_WIDTH = 10**6
"""No line is folded: what users search for stays in one piece."""


def write_yaml(path: Path, *documents: Any) -> None:
    """Writes trees as the documents of a file; folders are made. See `yaml_text`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml_text(*documents), encoding="utf-8")


def yaml_text(*documents: Any) -> str:
    """Trees as YAML documents, in the order of their keys.

    A text that YAML would read as something else is quoted by PyYAML, whatever is in it.
    """
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        width=_WIDTH,
        allow_unicode=True,
        explicit_start=len(documents) > 1,
    )


class _Dumper(yaml.SafeDumper):
    """Writes a list that stands in two places twice, in place of an anchor, which some readers refuse."""

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is named by an anchor."""
        return True
