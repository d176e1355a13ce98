"""Plain trees of lists and mappings as YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ringlake.base.trees import yaml_text


def write_yaml(path: Path, *documents: Any) -> None:
    """Writes trees as the documents of a file; folders are made. See `yaml_text`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml_text(*documents), encoding="utf-8")
