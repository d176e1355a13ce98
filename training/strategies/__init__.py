"""How ranks work together: one file a strategy, one small interface."""

from training.launch.ranks import current_rank
from training.strategies.base import Strategy
from training.strategies.single import Single


def make_strategy() -> Strategy:
    """The strategy of this process: the ring if a launcher started several ranks, else a single rank."""
    if current_rank().world_size == 1:
        return Single()
    from training.strategies.ring import Ring

    return Ring()


__all__ = ["Strategy", "make_strategy"]
