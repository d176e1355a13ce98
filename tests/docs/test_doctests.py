"""The examples in docstrings say what the code gives."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = ("conf", "pipelines", "ringlake", "schemas", "training")

NEEDS_A_RUN = {
    "pipelines.setup.jars",
    "ringlake.lakes",
    "ringlake.sequences",
    "training.checkpoints.writer",
    "training.launch.launcher",
    "training.launch.runner",
}
"""Modules whose examples take a lake, a session, ranks or a cache; the tests of these run the like."""

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_the_modules_left_out_have_examples() -> None:
    assert set(MODULES) >= NEEDS_A_RUN


@pytest.mark.parametrize("module", [name for name in MODULES if name not in NEEDS_A_RUN])
def test_the_examples_are_so(module: str) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testmod(import_module(module), optionflags=flags)
    assert found.attempted
    assert not found.failed
