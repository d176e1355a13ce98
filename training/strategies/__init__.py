"""How ranks work together: one file a strategy, one small interface (`base`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.strategy import StrategyConfig
from training.errors import TrainingError
from training.launch.ranks import current_rank
from training.strategies.base import Strategy
from training.strategies.single import Single

if TYPE_CHECKING:
    from conf.learn import TrainConfig
    from training.outcome import Served
    from training.strategies.ring import Ring


def make_strategy(config: StrategyConfig | None = None) -> Strategy:
    """The strategy of this process.

    Args:
        config: The strategy section; None: the ring if a launcher started several ranks, else a single rank.

    Raises:
        TrainingError: The strategy does not fit the number of processes.
    """
    config = config or StrategyConfig()
    alone = current_rank().world_size == 1
    if config.name == "parameter_server":
        from training.strategies.parameter_server import ParameterServer

        return ParameterServer(config.parameter_server)
    if config.name == "single" and not alone:
        raise TrainingError(
            f"train.strategy.name = 'single' is for one rank, but there are {current_rank().world_size}; set "
            f"train.num_ranks=1, or another strategy"
        )
    if config.name == "ddp" and config.ddp.shard and not alone:
        from training.strategies.fsdp import Fsdp

        return Fsdp()
    if config.name == "ddp" and not alone:
        from training.strategies.ddp import Ddp

        return Ddp()
    if config.name == "local_sgd":
        from training.strategies.local_sgd import LocalSgd

        return LocalSgd(Single() if alone else _ring(config), config.local_sgd)
    return Single() if alone else _ring(config)


def is_server(config: StrategyConfig) -> bool:
    """Whether this process is a parameter server: the last processes are."""
    info = current_rank()
    return info.rank >= info.world_size - config.num_servers


def serve(config: TrainConfig) -> Served:
    """Be a parameter server until all ranks are done."""
    from training.strategies.server import run_server

    return run_server(config)


def _ring(config: StrategyConfig) -> Ring:
    from training.strategies.ring import Ring

    return Ring(config.ring)


__all__ = ["Strategy", "is_server", "make_strategy", "serve"]
