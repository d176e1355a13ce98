"""What to run and where: run files, and `load()` that turns one into a validated, typed configuration.

Example:
    >>> from conf import load
    >>> load("conf/runs/python-docs.yaml", ["train.num_ranks=1"]).train.num_ranks
    1
"""

from conf.errors import ConfigError
from conf.load import DEFAULT_RUN, load
from conf.model import RunConfig

__all__ = ["DEFAULT_RUN", "ConfigError", "RunConfig", "load"]
