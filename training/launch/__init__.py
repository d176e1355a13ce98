"""Runs a function as N Horovod ranks in a barrier stage of the active Spark application."""

from training.launch.elastic import Elastic
from training.launch.events import emit, log_to_driver
from training.launch.launcher import launch, launch_local
from training.launch.options import LaunchOptions
from training.launch.ranks import RankInfo, current_backend, current_rank
from training.launch.runner import HorovodRunner

__all__ = [
    "Elastic",
    "HorovodRunner",
    "LaunchOptions",
    "RankInfo",
    "current_backend",
    "current_rank",
    "emit",
    "launch",
    "launch_local",
    "log_to_driver",
]
