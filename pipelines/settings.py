"""The configuration of a run as commands and programs load it: with what installed extensions add to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from conf.errors import ConfigError
from pipelines.added import every_stage, run_model
from pipelines.tasks import check_task
from ringlake.base.extensions import installed, unknown

if TYPE_CHECKING:
    from conf import RunConfig


def load(path: str | Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration of a run file, with the sections of all stages; see `conf.load`.

    The names of a format, a strategy and a task that are not ringlake's are compared with what is installed,
    and the options of such a strategy or task with what it takes. That loads neither readers nor ringlake's
    strategies and tasks.

    Raises:
        ConfigError: See `conf.load`; or no extension has such a name or option.
        ExtensionError: A stage, or the strategy or task of another package, cannot be used.
    """
    # Making the sections takes pydantic a quarter of a second, which no list of commands need wait for.
    from conf.ingest import Format
    from conf.reading import load as load_run_file
    from training.added import check_strategy

    config = load_run_file(path, overrides, run_model(every_stage()))
    _check_format(config.ingest.format, get_args(Format))
    check_strategy(config.train)
    check_task(config.task)
    return config


def _check_format(name: str, own: tuple[str, ...]) -> None:
    added = [extension.name for extension in installed("formats")]
    if name not in own and name not in added:
        raise ConfigError(unknown("ingest.format", name, own, added))
