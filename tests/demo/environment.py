"""The library of the page, installed once in the user's cache: the checkout's environment stays as it is."""

from __future__ import annotations

from pathlib import Path

from tests.support import sites

PINS = Path(__file__).with_name("gradio.txt")


def site() -> Path:
    """The folder that has the library, for PYTHONPATH; the test is skipped where it cannot be installed."""
    return sites.site("gradio", PINS)
