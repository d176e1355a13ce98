"""The notebook runs from top to bottom on a lake, and as committed it tells nothing of where it ran."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from pipelines.lake import Catalog, Lake

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_explore_the_corpus.ipynb"

MAX_BYTES = 500_000
"""A notebook that a page of a code host still shows, and that a diff still survives."""


@pytest.fixture(scope="module")
def executed(small_lake: Path) -> Any:
    """The notebook after all cells have run, in a kernel of its own beside the tests' Spark."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RINGLAKE_LAKE", str(small_lake))
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "SPARK_CONF_DIR"):
            patch.delenv(name, raising=False)
        client = NotebookClient(
            book,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(NOTEBOOK.parent)}},
        )
        return client.execute()


def output(book: Any, words: str) -> str:
    """All output of the one cell whose source has these words."""
    [cell] = [cell for cell in book.cells if cell.cell_type == "code" and words in cell.source]
    parts = [part.get("text", "") + "".join(part.get("data", {}).values()) for part in cell.outputs]
    return "\n".join(parts)


@pytest.mark.rare
def test_every_cell_runs(executed: Any) -> None:
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert len(code) > 10
    assert all(cell.execution_count for cell in code)


def test_it_shows_what_the_lake_holds(executed: Any, small_lake: Path) -> None:
    catalog = Catalog(Lake.at(small_lake))
    funnel = output(executed, "drop_duplicates").split("stage")[1]
    for table in ("documents", "clean", "corpus"):
        assert str(catalog.info(table).rows) in funnel, table
    # The planted near duplicates differ in one sentence only.
    assert "<mark>" in output(executed, "def marked")
    assert "corpus.jsonl" in output(executed, "segment")
    assert "train" in output(executed, "groupBy")


def test_the_committed_notebook_is_small_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MAX_BYTES
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert not re.search(r"hostname|\b\d+\.\d+\.\d+\.\d+\b", text)
