"""The library of the page, installed once in the user's cache: the checkout's environment stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from pipelines.setup.cache import entry_name, user_cache

PINS = Path(__file__).with_name("gradio.txt")


def site() -> Path:
    """The folder that has the library, for PYTHONPATH; the test is skipped where it cannot be installed."""
    inputs = {
        "pins": PINS.read_text(encoding="utf-8"),
        "python": sys.version.split()[0],
        "platform": sysconfig.get_platform(),
    }
    place = user_cache() / "tests" / entry_name("gradio", inputs)
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="making-") as folder:
        made = Path(folder) / "site"
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run(
            [*command, "--target", str(made), "--requirement", str(PINS)],
            capture_output=True,
            text=True,
            env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            timeout=500,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            pytest.skip(f"gradio cannot be installed beside this environment: {reason}")
        try:
            made.rename(place)
        except OSError:
            # Another run has made it meanwhile.
            assert place.is_dir()
    return place
