"""Packages that a stage needs only with some configurations: looked for before a run spends its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from conf import RunConfig
from pipelines.errors import EnvironmentProblem
from pipelines.stages import Stage


def check_installed(config: RunConfig, stages: Sequence[Stage], is_done: Callable[[Stage], bool]) -> None:
    """Refuses a run one of whose stages would end for want of a package, hours later perhaps.

    Args:
        config: The configuration.
        stages: What is to run.
        is_done: Whether a stage has nothing to do; asked only of one that lacks a package.

    Raises:
        EnvironmentProblem: A package is missing; it says which, for which stage, and what installs it.
    """
    for stage in stages:
        for module, extra in stage.extras(config).items():
            if find_spec(module) is None and not is_done(stage):
                raise EnvironmentProblem(
                    f"{stage.name} needs {module}, which is not installed: pip install 'ringlake[{extra}]'"
                )
