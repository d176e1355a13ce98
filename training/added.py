"""Strategies of other packages: what one declares, and which one a configuration names.

A package names a `StrategyKind` in the group `ringlake.strategies`. The driver asks its section, as it asks
those of ringlake's own strategies; each rank has it make the strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from conf.errors import ConfigError
from conf.options import read_options
from conf.strategy import StrategyConfig, StrategyName, StrategySection
from ringlake.base.extensions import Door, Extension, unknown

if TYPE_CHECKING:
    from conf.train import TrainConfig
    from training.strategies.base import Strategy


@dataclass(frozen=True)
class StrategyKind:
    """A strategy that another package adds.

    Attributes:
        name: What `train.strategy.name` says.
        options: Its section: what `train.strategy.options` may have, and what training asks of it.
        make: The strategy of this rank, given the section. It is called on every rank when training starts,
            also where there is one rank; `Single()` is the strategy of a rank that has nobody to talk to.
    """

    name: str
    options: type[StrategySection]
    make: Callable[[Any], Strategy]


DOOR: Door[StrategyKind] = Door("strategies", "strategy", (StrategyKind,), lambda: get_args(StrategyName))
"""Strategies of other packages."""


def extensions_of(config: StrategyConfig) -> tuple[Extension, ...]:
    """What of other packages the configured strategy is."""
    return DOOR.used([config.name])


def kind_of(config: StrategyConfig) -> StrategyKind:
    """The strategy of another package that is configured.

    Raises:
        ConfigError: There is none of that name.
        ExtensionError: It cannot be used.
    """
    kind = DOOR.get(config.name)
    if kind is None:
        raise ConfigError(unknown("train.strategy.name", config.name, get_args(StrategyName), DOOR.names()))
    return kind


def section_of(config: StrategyConfig) -> StrategySection:
    """The section of the strategy that is chosen: ours, or that of another package with its options.

    Raises:
        ConfigError: There is no strategy of that name, or an option is wrong.
        ExtensionError: The strategy of another package cannot be used.
    """
    if config.name in get_args(StrategyName):
        return config.chosen
    kind = kind_of(config)
    section = read_options(kind.options, config.options, "train.strategy.options", config.name)
    if section.num_servers:
        raise ConfigError(
            f"train.strategy.name = {config.name!r} asks for {section.num_servers} servers, which only "
            f"ringlake's own parameter_server has; its section must say 0"
        )
    return section


def check_strategy(config: TrainConfig) -> None:
    """Asks a strategy of another package what the configuration asks one of ours when it is read.

    Raises:
        ConfigError: It does not go with other keys of the section train; or see `section_of`.
        ExtensionError: See `section_of`.
    """
    if config.strategy.name in get_args(StrategyName):
        return
    try:
        config.check_strategy(section_of(config.strategy))
    except ValueError as error:
        raise error if isinstance(error, ConfigError) else ConfigError(f"train: {error}") from None


def identity_of(config: StrategyConfig) -> dict[str, Any]:
    """What of the chosen strategy decides the values of a training: of another package also its code."""
    identity = section_of(config).identity()
    for extension in extensions_of(config):
        identity |= {f"train.strategy.{config.name}": f"{extension.distribution} {extension.code}"}
    return identity
