"""Which pairs a translation learns from: the script of a target is told by what is its own."""

from __future__ import annotations

import pytest

from pipelines.text.script import script_of


@pytest.mark.parametrize(
    ("text", "target", "script"),
    [
        ("Site '%(object)s' updated.", "站点 '%(object)s' 已更新。", "CJK"),
        ("Hold down Control on a Mac", "在 Mac 上按住 control 键", "CJK"),
        ("Download XLSX", "下载XLSX", "CJK"),
        ("Jupyter Notebook", "Jupyter Notebook", ""),
        ("%d files", "%d fichiers 件", "LATIN"),
        ("Site", "", ""),
        ("Open", "Ouvrir", "LATIN"),
        ("打开", "打开", ""),
    ],
)
def test_what_a_target_has_from_its_text_does_not_count(text: str, target: str, script: str) -> None:
    assert script_of(target, text) == script


def test_of_a_text_alone_all_letters_count() -> None:
    assert script_of("站点 object 已更新") == "LATIN"
    assert script_of("Привет, мир 12") == "CYRILLIC"
    assert script_of("12 %") == ""
