"""Each stage makes the tables that it declares; `docs/architecture.md` names the files that commit them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipelines.run.stage_code import files_of
from pipelines.stages import STAGES, Stage

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_files_of_a_stage_make_the_tables_that_it_declares(stage: Stage) -> None:
    made: set[str] = set()
    for file in files_of(stage):
        if file.endswith(".py"):
            made |= _made_in(ROOT / file)
    assert {*stage.writes, *stage.may_write} <= made


def test_the_page_names_all_files_that_commit_tables() -> None:
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipelines").rglob("*.py")
        if _used(path) & {"write_table", "write_deltalake"}
    }
    # Tables of stages, the history, the ledger, predictions, the register of erasures, marks in a history.
    assert len(writers) == 6
    assert all(f"`{file}`" in PAGE for file in writers)


def _made_in(path: Path) -> set[str]:
    """The tables that a file has by name: the keys of its mappings, the schemas of its constant `TABLES`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            found |= {_name(key) for key in node.keys if key is not None}
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["TABLES"]:
            assert isinstance(node.value, ast.Tuple)
            found |= {ast.unparse(item).lower() for item in node.value.elts}
    return found


def _name(key: ast.expr) -> str:
    """The table that a key of a mapping names: `"corpus"` or `CORPUS.name`."""
    return str(key.value) if isinstance(key, ast.Constant) else ast.unparse(key).removesuffix(".name").lower()


def _used(path: Path) -> set[str]:
    """The names that a file calls or passes on."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
