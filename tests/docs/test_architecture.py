"""`docs/architecture.md` names for each table the stage and the files that make and commit it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from pipelines.stages import OPTIONAL_TABLES, STAGES
from schemas import TABLES

ROOT = Path(__file__).resolve().parents[2]

ROWS = re.findall(
    r"^\| `(\w+)` \| (.+?) \| `([\w/.]+)` \| `([\w/.]+)` \|$",
    (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_every_table_has_one_row_in_the_order_of_the_schemas() -> None:
    assert [name for name, *_ in ROWS] == list(TABLES)


def test_the_stages_are_those_that_have_registered_the_tables() -> None:
    registered = {table: stage.name for stage in STAGES for table in stage.writes}
    for name, stage, _, _ in ROWS:
        if name in registered:
            assert stage == f"`{registered[name]}`", name
    # The rest is written where a part of a stage is configured, and the ledger by every stage.
    conditional = {name: stage for name, stage, _, _ in ROWS if name not in registered}
    assert conditional.pop("runs") == "every stage that ended"
    assert set(conditional) <= OPTIONAL_TABLES
    assert {stage.partition(",")[0] for stage in conditional.values()} == {"`dedup`"}


def test_the_file_named_first_makes_the_table() -> None:
    for name, _, made_in, _ in ROWS:
        assert name in _made_in(ROOT / made_in), f"{made_in} gives no table {name!r}"


def test_the_files_named_last_are_all_that_commit_tables() -> None:
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipelines").rglob("*.py")
        if _called(path) & {"write_table", "write_deltalake"}
    }
    assert {committed_in for *_, committed_in in ROWS} == writers


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


def _called(path: Path) -> set[str]:
    calls = (
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    )
    return {ast.unparse(call.func) for call in calls}
