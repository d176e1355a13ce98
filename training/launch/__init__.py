"""Runs a function as N Horovod ranks in a barrier stage of the active Spark application."""

from training.launch.events import emit
from training.launch.launcher import launch
from training.launch.ranks import RankInfo, current_rank

__all__ = ["RankInfo", "current_rank", "emit", "launch"]
