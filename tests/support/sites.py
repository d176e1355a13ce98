"""Libraries of tests alone, installed once in the user's cache: the checkout's environment stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from pipelines.setup.cache import entry_name, user_cache


def site(name: str, pins: Path) -> Path:
    """The folder that has a library, for PYTHONPATH; the test is skipped where it cannot be installed.

    Args:
        name: What the folder is called after.
        pins: File with every package of it at a version.
    """
    inputs = {
        "pins": pins.read_text(encoding="utf-8"),
        "python": sys.version.split()[0],
        "platform": sysconfig.get_platform(),
    }
    place = user_cache() / "tests" / entry_name(name, inputs)
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="making-") as folder:
        made = Path(folder) / "site"
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run(
            [*command, "--target", str(made), "--requirement", str(pins)],
            capture_output=True,
            text=True,
            env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            timeout=500,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            pytest.skip(f"{name} cannot be installed beside this environment: {reason}")
        try:
            made.rename(place)
        except OSError:
            # Another run has made it meanwhile.
            assert place.is_dir()
    return place
