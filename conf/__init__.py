"""What to run and where: run files, and `load()` that turns one into a validated, typed configuration.

Example:
    >>> from conf import load
    >>> load("conf/runs/python-docs.yaml", ["train.num_ranks=1"]).train.num_ranks
    1
"""

from typing import TYPE_CHECKING, Any

from conf.errors import ConfigError

if TYPE_CHECKING:
    from conf.reading import load
    from conf.run import RunConfig

DEFAULT_RUN = "conf/runs/python-docs.yaml"
"""The run file of the embedded default, in a checkout and in the installed package alike."""

__all__ = ["DEFAULT_RUN", "ConfigError", "RunConfig", "load"]


def __getattr__(name: str) -> Any:
    # Making the sections takes pydantic a quarter of a second, which `ringlake --help` need not wait for.
    if name == "load":
        from conf.reading import load

        return load
    if name == "RunConfig":
        from conf.run import RunConfig

        return RunConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
