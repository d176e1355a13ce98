"""How ranks work together: one file a strategy, one small interface (`base`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.strategy import (
    AddedConfig,
    DdpConfig,
    LocalSgdConfig,
    ParameterServerConfig,
    RingConfig,
    SingleConfig,
    StrategyConfig,
)
from training.added import kind_of, section_of
from training.errors import TrainingError
from training.launch.ranks import current_rank
from training.strategies.base import Strategy
from training.strategies.single import Single

if TYPE_CHECKING:
    from conf.train import TrainConfig
    from training.outcome import Served
    from training.strategies.ring import Ring


def make_strategy(config: StrategyConfig | None = None) -> Strategy:
    """The strategy of this process.

    Args:
        config: The strategy section; None: the ring if a launcher started several ranks, else a single rank.

    Raises:
        TrainingError: The strategy does not fit the number of processes.
        ConfigError, ExtensionError: A strategy of another package is not there, or cannot be used.
    """
    config = config or StrategyConfig()
    alone = current_rank().world_size == 1
    section = config.chosen
    match section:
        case AddedConfig():
            options = section_of(config)
            if options.for_one_rank and not alone:
                raise _too_many(config.name)
            return kind_of(config).make(options)
        case ParameterServerConfig():
            from training.strategies.parameter_server import ParameterServer

            return ParameterServer(section)
        case SingleConfig() if not alone:
            raise _too_many(config.name)
        case LocalSgdConfig():
            from training.strategies.local_sgd import LocalSgd

            return LocalSgd(Single() if alone else _ring(config.ring), section)
        case _ if alone:
            return Single()
        case DdpConfig(shard=True):
            from training.strategies.fsdp import Fsdp

            return Fsdp()
        case DdpConfig():
            from training.strategies.ddp import Ddp

            return Ddp()
    return _ring(config.ring)


def _too_many(name: str) -> TrainingError:
    return TrainingError(
        f"train.strategy.name = {name!r} is for one rank, but there are {current_rank().world_size}; set "
        f"train.num_ranks=1, or another strategy"
    )


def is_server(config: StrategyConfig) -> bool:
    """Whether this process is a parameter server: the last processes are."""
    info = current_rank()
    return info.rank >= info.world_size - config.chosen.num_servers


def serve(config: TrainConfig) -> Served:
    """Be a parameter server until all ranks are done."""
    from training.strategies.server import run_server

    return run_server(config)


def _ring(section: RingConfig) -> Ring:
    from training.strategies.ring import Ring

    return Ring(section)


__all__ = ["Strategy", "is_server", "make_strategy", "serve"]
