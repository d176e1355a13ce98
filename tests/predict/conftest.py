"""The models of `tests/inference` for the tests of files, tables and commands."""

from __future__ import annotations

from tests.inference.conftest import models

__all__ = ["models"]
