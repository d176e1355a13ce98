"""Where metrics go beside `metrics.jsonl`: TensorBoard event files, an MLflow run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import Any, Protocol

from conf.train import TrainConfig
from ringlake.base.storage import Folder
from training.errors import TrainingError

TENSORBOARD_FOLDER = "tensorboard"
MLFLOW_FOLDER = "mlflow"
MLFLOW_RUN_FILE = "mlflow-run.txt"
"""Holds the id of the MLflow run, so that a training that goes on logs to the same one."""

EXPERIMENT = "ringlake"


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
            self._trackers.append(_MLflow(config.mlflow, folder, start, facts))

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
            raise _missing("tensorboard", "tensorboard", "train.tensorboard to false", error) from error
        place = _local(folder, "train.tensorboard") / TENSORBOARD_FOLDER
        # Steps that a crash undid are hidden: they come again.
        self._writer: Any = SummaryWriter(str(place), purge_step=start + 1)

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _MLflow:
    def __init__(self, uri: str, folder: Folder, start: int, facts: Mapping[str, Any]) -> None:
        # MLflow 3.17 reads and writes file stores only when told so; nothing is reported to its makers.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, Param, RunStatus
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise _missing("MLflow", "mlflow-skinny", "train.mlflow to null", error) from error
        if uri == "local":
            uri = (_local(folder, "train.mlflow = local") / MLFLOW_FOLDER).as_uri()
        self._metric, self._param = Metric, Param
        self._finished = RunStatus.to_string(RunStatus.FINISHED)
        self._client = MlflowClient(tracking_uri=uri)
        known_id: str | None = None
        if start and folder.exists(MLFLOW_RUN_FILE):
            known = folder.read(MLFLOW_RUN_FILE).decode().strip()
            try:
                known_id = self._client.get_run(known).info.run_id
            except MlflowException:
                # Another tracking server, or a run that somebody deleted there: the rest gets a new run.
                known_id = None
        self._run_id: str = known_id or self._begin(folder, facts)

    def _begin(self, folder: Folder, params: Mapping[str, Any]) -> str:
        """Start a run on the server; its id stays beside the checkpoints."""
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        number = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        run_id: str = self._client.create_run(number).info.run_id
        folder.create()
        folder.replace(MLFLOW_RUN_FILE, run_id.encode())
        self._client.log_batch(run_id, params=[self._param(name, str(v)[:500]) for name, v in params.items()])
        return run_id

    def log(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [self._metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._run_id, self._finished)


def _missing(what: str, package: str, remedy: str, error: ImportError) -> TrainingError:
    return TrainingError(
        f"logging to {what} needs the package {package} on every rank ({error}); install it, or set {remedy}"
    )


def _local(folder: Folder, key: str) -> Any:
    if not folder.is_local:
        raise TrainingError(
            f"{key} writes beside the checkpoints, but {folder.location} is not on a local disk; "
            f"set train.mlflow to the URI of a tracking server, or keep metrics.jsonl alone"
        )
    return folder.local_path
