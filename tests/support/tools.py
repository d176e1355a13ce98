"""Environments of their own for tools that ringlake does not need, cached outside of the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.setup.cache import user_cache

SHARED = ("huggingface_hub", "numpy", "safetensors", "tokenizers")
"""What torch and transformers, which such an environment borrows from this one, were installed with."""

INSTALL_SECONDS = 1500


def tool_python(name: str, requirements: Sequence[str]) -> Path:
    """The Python of an environment with some packages, and behind them with those that run the tests.

    It is made once for equal requirements. The test that asks is skipped where the package registry cannot
    be reached or has no such package.

    Args:
        name: What the environment is called.
        requirements: What pip installs.
    """
    wanted = [*requirements, *(f"{package}=={version(package)}" for package in SHARED)]
    key = hashlib.sha256("\n".join([sys.version, sys.prefix, *wanted]).encode()).hexdigest()[:16]
    place = user_cache() / "tools" / f"{name}-{key}"
    python = place / "bin" / "python"
    if (place / "whole").exists():
        return python
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    try:
        done = subprocess.run(
            [*pip, "--disable-pip-version-check", "--retries", "1", *wanted],
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{name} could not be installed in {INSTALL_SECONDS} s")
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["pip said nothing"]
        pytest.skip(f"{name} could not be installed: {told[-1][:300]}")
    paths = {"base": str(place), "platbase": str(place)}
    own = Path(sysconfig.get_path("purelib", "venv", paths))
    # Read after the environment's own packages, so that these win.
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (place / "whole").touch()
    return python


def run_tool(
    python: Path, *args: str | Path, cwd: Path, seconds: float = 500, **env: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program of such an environment without a network; its exit code has to be 0."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(cwd / "hf"), **env}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK"))}
    done = subprocess.run(
        [str(python), *map(str, args)],
        cwd=cwd,
        env=kept | offline,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{args}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done
