"""Where metrics go beside `metrics.jsonl`: TensorBoard event files, an MLflow run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from conf.train import TrainConfig
from ringlake.base.storage import Folder
from training.logs.mlflow_run import MlflowRun, local, missing

TENSORBOARD_FOLDER = "tensorboard"


class Tracker(Protocol):
    """Takes the numbers of a step."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take the finite numbers of a step."""

    def close(self) -> None:
        """Write what is left."""


class Trackers:
    """All trackers that a training is configured with.

    Args:
        config: The train section.
        folder: Folder of the checkpoints.
        start: Step that training goes on from.
        facts: What identifies the training, name to value.

    Raises:
        TrainingError: The package of a tracker is not installed, or the folder is not on a local disk.
    """

    def __init__(self, config: TrainConfig, folder: Folder, start: int, facts: Mapping[str, Any]) -> None:
        self._trackers: list[Tracker] = []
        if config.tensorboard:
            self._trackers.append(_TensorBoard(folder, start))
        if config.mlflow is not None:
            self._trackers.append(MlflowRun(config.mlflow, folder, start, facts))

    def log(self, line: Mapping[str, Any]) -> None:
        """Take a line of the metrics log; what is no finite number is left out."""
        if self._trackers:
            values = {
                name: float(value)
                for name, value in line.items()
                if isinstance(value, (int, float)) and math.isfinite(value) and name != "step"
            }
            for tracker in self._trackers:
                tracker.log(values, line["step"])

    def close(self) -> None:
        """Write what is left."""
        for tracker in self._trackers:
            tracker.close()


class _TensorBoard:
    def __init__(self, folder: Folder, start: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise missing("tensorboard", "tensorboard", "train.tensorboard to false", error) from error
        place = local(folder, "train.tensorboard") / TENSORBOARD_FOLDER
        # Steps that a crash undid are hidden: they come again.
        self._writer: Any = SummaryWriter(str(place), purge_step=start + 1)

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
