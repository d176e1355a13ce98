"""Airflow in an environment of its own in the user's cache, at the versions of `constraints.txt`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from pipelines.setup.cache import user_cache
from pipelines.setup.errors import SetupError
from pipelines.setup.locks import locked
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target
from pipelines.setup.venv import Installer, make_venv

PINS = Path(__file__).with_name("constraints.txt")
STAMP = "ringlake-airflow"
"""Is there when the environment is complete."""


def python_with_airflow() -> Path | str:
    """The Python of the environment, which is made unless it is there; else why it cannot be had."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(f"{version} {PINS.read_text(encoding='utf-8')}".encode()).hexdigest()[:16]
    prefix = user_cache() / "airflow" / key
    python = prefix / "bin" / "python"
    if (prefix / STAMP).is_file():
        return python
    progress = Progress()
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        with locked(prefix.parent, str(prefix), progress):
            if (prefix / STAMP).is_file():
                return python
            target = Target(python, prefix, (str(prefix / "lib" / f"python{version}" / "site-packages"),))
            logs = prefix.parent / "logs"
            make_venv(target, progress, logs / "venv.log")
            installer = Installer(target, progress, logs, None)
            installer.prepare()
            installer.install(["--requirement", str(PINS)], label="installing Airflow")
            (prefix / STAMP).touch()
    except (SetupError, OSError) as error:
        return f"Airflow's environment cannot be made: {str(error).splitlines()[0]}"
    return python
