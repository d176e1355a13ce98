"""The command lines that a task runs. Needs no Airflow."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

AIRFLOWS = ("AIRFLOW__", "_AIRFLOW")
"""What the names of Airflow's own settings begin with: among them are the secrets of its database."""

_QUERY = re.compile(r"[?#][^\s'\",]*")


def stage_command(
    stage: str,
    lake: str,
    run_file: str | None,
    settings: Mapping[str, Any],
    *,
    python: str,
    submit: Sequence[str] | None = None,
) -> list[str]:
    """The command that runs one stage.

    Args:
        stage: Name of the stage.
        lake: Folder or URL of the lake.
        run_file: The run file; None: ringlake's default.
        settings: Values by key of the configuration, over those of the run file.
        python: A Python that has ringlake.
        submit: What starts ringlake instead: the words of a `spark-submit` up to the bundle's `main.py`.

    Raises:
        ValueError: A word of it holds a user or a password, which every user of the machine could read.
    """
    from conf.reading import override

    start = [python, "-m", "ringlake"] if submit is None else list(submit)
    words = [*start, stage, "--lake", lake]
    if run_file is not None:
        words += ["--run", run_file]
    for key, value in settings.items():
        words += ["--set", override(key, value)]
    for word in words:
        _check(word)
    return words


def status_command(lake: str, *, python: str) -> list[str]:
    """The command that tells of the tables and the runs of a lake; it starts no Spark."""
    return [python, "-m", "ringlake", "status", lake, "--json"]


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: this process's without Airflow's own settings, and changes."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(AIRFLOWS)}
    return own | {name: str(value) for name, value in changes.items()}


def _check(word: str) -> None:
    from conf.urls import without_secrets

    shown = _QUERY.sub("", word)
    if without_secrets(shown) != shown:
        raise ValueError(
            f"{without_secrets(word)!r} would be a word of the command line with a user or a password in it, "
            "which is shown to every user of the machine; give them by `secrets` as environment variables"
        )
