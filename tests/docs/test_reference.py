"""`docs/reference/` is what the code gives, and its Markdown shows what it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.keys import all_keys
from docs.markdown import code, escaped, table
from docs.pages import FOLDER, pages, stale
from pipelines.stages import STAGES
from schemas import TABLES

MADE = pages()


def test_the_pages_on_disk_are_those_that_the_code_gives() -> None:
    assert not stale(MADE), f"{stale(MADE)} in docs/reference/ are not as the code has them: make reference"


def test_a_page_that_differs_is_found(tmp_path: Path) -> None:
    for name, text in MADE.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert stale(MADE, tmp_path) == []
    (tmp_path / "tables.md").write_text(MADE["tables.md"].replace("`doc_id`", "`id`", 1), encoding="utf-8")
    (tmp_path / "old.md").write_text("", encoding="utf-8")
    (tmp_path / "commands.md").unlink()
    assert stale(MADE, tmp_path) == ["commands.md", "old.md", "tables.md"]


def test_every_column_key_and_flag_has_its_row() -> None:
    for name, found in TABLES.items():
        section = MADE["tables.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for column in found.columns:
            assert f"\n| `{column.name}` | " in section, f"{name}.{column.name}"
    for key in all_keys():
        assert MADE["configuration.md"].count(f"\n| `{key.name}` | ") == 1, key.name
    for stage in STAGES:
        section = MADE["commands.md"].partition(f"\n## {stage.name}\n")[2].partition("\n## ")[0]
        for flag in stage.flags:
            assert f"\n| `{flag.option} " in section, (stage.name, flag)


@pytest.mark.parametrize("name", MADE)
def test_the_rows_of_a_table_have_as_many_cells_as_its_head(name: str) -> None:
    cells = 0
    for line in MADE[name].splitlines():
        bars = line.replace("\\|", "").count("|")
        if line.startswith("|"):
            assert cells in (0, bars), line
            cells = bars
        else:
            cells = 0


def test_the_readme_links_every_page() -> None:
    readme = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
    for name in MADE:
        assert f"(docs/reference/{name})" in readme


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>a</b> & c", "&lt;b&gt;a&lt;/b&gt; &amp; c"),
        ("*a* [b](c) _d_ e_f", "\\*a\\* \\[b\\](c) \\_d\\_ e_f"),
        ("`a*b` ` c", "`a*b` \\` c"),
        ("one\n  two", "one two"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_code_and_bars() -> None:
    assert code("a``b`") == "``` a``b` ```"
    assert table(["a"], [["`x|y`"], ["x\\|y"]]) == "| a |\n| --- |\n| `x\\|y` |\n| x\\|y |\n"
