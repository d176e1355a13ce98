"""The stages of a run file, and the run file itself, for bundles that name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from conf import DEFAULT_RUN
from conf.errors import ConfigError
from pipelines.bundle.options import is_secret


@dataclass(frozen=True)
class Work:
    """What a bundle runs.

    Attributes:
        text: The run file, as it is shipped.
        stages: Names of the stages that a whole run of it has, in their order.
    """

    text: str
    stages: tuple[str, ...]


def read_work(run_file: str, overrides: Sequence[str]) -> Work:
    """Reads a run file and what it amounts to.

    Args:
        run_file: Its path; empty: ringlake's default.
        overrides: Texts `KEY=VALUE` over its values.

    Raises:
        ConfigError: It cannot be read, a key or value is wrong, or it has a secret in it.
    """
    from conf.reading import find_run_file
    from pipelines.added import every_stage
    from pipelines.settings import load

    path = run_file or DEFAULT_RUN
    config = load(path, overrides)
    text = find_run_file(path).read_text(encoding="utf-8")
    for key, value in _leaves(yaml.safe_load(text) or {}):
        if is_secret(key) and value:
            raise ConfigError(
                f"{path} has a value for {key}, which would be shipped in plain text; take it out and name "
                "it by --secret VARIABLE=SCOPE/KEY"
            )
    return Work(text, tuple(stage.name for stage in every_stage() if stage.is_enabled(config)))


def _leaves(tree: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for name, item in tree.items():
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(tree, str):
        yield key, tree
