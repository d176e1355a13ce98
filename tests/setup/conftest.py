"""Fixtures of the set-up tests: a quiet progress whose lines can be read."""

from __future__ import annotations

import io

import pytest

from pipelines.setup.progress import Progress


class Lines(Progress):
    """A progress that keeps what it writes."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        super().__init__(self.out)

    @property
    def text(self) -> str:
        return self.out.getvalue()


@pytest.fixture
def progress() -> Lines:
    return Lines()
