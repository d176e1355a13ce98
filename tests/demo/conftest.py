"""The models of `tests/inference` for the page."""

from __future__ import annotations

from tests.inference.conftest import models

__all__ = ["models"]
