"""What a stage leaves as assets of Airflow: its tables, and the files of the stages that write none."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from airflow.sdk import Asset

FILES = {
    "train": ("model",),
    "evaluate": ("evaluation.json",),
    "generate": ("samples.json",),
    "report": ("report.html",),
    "card": ("card.md",),
}
"""What the stages without tables leave, below the lake."""

_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")


def is_template(text: str) -> bool:
    """Whether Airflow fills a text in when a task runs."""
    return "{{" in text or "{%" in text


def uri_of(lake: str) -> str:
    """The URI of a lake: an absolute path or a URL.

    Raises:
        ValueError: It is a relative path, which would be another folder on each worker.
    """
    if _SCHEME.match(lake):
        return lake.rstrip("/")
    if not PurePosixPath(lake).is_absolute():
        raise ValueError(
            f"the lake {lake!r} is a relative path, which would be another folder on each worker of Airflow; "
            "name an absolute path or a URL"
        )
    return f"file://{lake.rstrip('/')}"


def assets_of(stage: str, lake: str) -> list[Asset]:
    """The assets that a success of a stage updates.

    Tables that it writes with some configurations only are none of them. A lake whose name is a template has
    none either: Airflow has to know assets when it parses the DAG.

    Args:
        stage: Name of the stage; one of another package has none that are known here.
        lake: Folder or URL of the lake.

    Raises:
        ValueError: The lake is a relative path.
    """
    from pipelines.stages import BY_NAME

    if is_template(lake):
        return []
    root = uri_of(lake)
    declared = BY_NAME.get(stage)
    tables = () if declared is None else declared.writes
    places = [*(f"tables/{table}" for table in tables), *FILES.get(stage, ())]
    return [Asset(f"{root}/{place}") for place in places]
