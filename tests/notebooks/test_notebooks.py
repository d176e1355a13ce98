"""Every notebook runs from its first cell to its last on a real lake."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.cli import environment

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"

MAX_BYTES = 500_000

EXPLORE = "01_explore_the_corpus"
"""It runs in test_explore.py, which looks at its outputs too."""


LONG = "06_a_corpus_that_lives"
"""It runs stages of six lakes."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.rare] if path.stem == LONG else [])
        for path in sorted(FOLDER.glob("*.ipynb"))
        if path.stem != EXPLORE
    ],
)
@pytest.mark.timeout(1800)
def test_it_runs(path: Path, small_lake: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    )
    client.execute(env=environment(RINGLAKE_LAKE=str(small_lake), PYTHONPATH=str(FOLDER.parent)))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.execution_count for cell in cells)
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) // 2
    # A page of a code host still shows it.
    assert len(nbformat.writes(notebook)) < MAX_BYTES


def test_there_is_one() -> None:
    assert (FOLDER / f"{EXPLORE}.ipynb").is_file()
