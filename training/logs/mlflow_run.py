"""The MLflow run of a training: its numbers step by step, and in the end, where asked for, its model."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ringlake.base.storage import Folder
from training.errors import TrainingError
from training.models.sides import TARGET_FOLDER

MLFLOW_FOLDER = "mlflow"
MLFLOW_RUN_FILE = "mlflow-run.txt"
"""Holds the id of the MLflow run, so that a training that goes on logs to the same one."""

EXPERIMENT = "ringlake"

MODEL = "model"
"""What the model is called in its run."""

_PINNED = ("torch", "transformers", "safetensors", "tokenizers")
"""What somebody needs who opens a logged model."""


class MlflowRun:
    """The run of a training at a tracking server.

    Args:
        uri: Its tracking URI; local: a file store beside the checkpoints.
        folder: Folder of the checkpoints.
        start: Step that training goes on from; 0 begins a new run.
        facts: What identifies the training, name to value.

    Raises:
        TrainingError: MLflow is not installed, or the folder is not on a local disk and `uri` is local.
    """

    def __init__(self, uri: str, folder: Folder, start: int, facts: Mapping[str, Any]) -> None:
        # MLflow 3.17 reads and writes file stores only when told so; nothing is reported to its makers.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, Param, RunStatus
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise missing("MLflow", "mlflow-skinny", "train.mlflow to null", error) from error
        if uri == "local":
            uri = (local(folder, "train.mlflow = local") / MLFLOW_FOLDER).as_uri()
        self._uri = uri
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
        """Take the finite numbers of a step."""
        now = int(time.time() * 1000)
        metrics = [self._metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def log_model(self, model: Folder, pipeline: str) -> str:
        """Log a model folder by its path: its files are copied, and the weights are not opened.

        Args:
            model: The folder.
            pipeline: Name of the pipeline of transformers for it.

        Returns:
            Where it is, for people: where transformers has no such pipeline, `mlflow.transformers` takes no
            such model, and the folder is kept with the run as it is.

        Raises:
            TrainingError: It could not be logged.
        """
        from mlflow.exceptions import MlflowException

        try:
            with model.as_local(TARGET_FOLDER) as place:
                if not _has_pipeline(pipeline):
                    self._client.log_artifacts(self._run_id, str(place), MODEL)
                    return f"artifact {MODEL!r} of run {self._run_id}, as it is: no pipeline {pipeline!r}"
                self._log_flavor(place.resolve(), pipeline)
        except (MlflowException, OSError, ImportError) as error:
            line = " ".join(str(error).split())[:500]
            raise TrainingError(
                f"the model is in {model.location}, but it could not be logged to MLflow ({line}); the same "
                f"command tries again, or set train.mlflow_model to false"
            ) from error
        return f"runs:/{self._run_id}/{MODEL}"

    def _log_flavor(self, place: Path, pipeline: str) -> None:
        import mlflow
        from huggingface_hub import ModelCard

        _load_pipeline(pipeline)
        # Not `from mlflow import transformers`, which MLflow loads when it is first asked for.
        flavor: Any = mlflow.transformers
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self._uri)
        try:
            with mlflow.start_run(run_id=self._run_id):
                flavor.log_model(
                    transformers_model=str(place),
                    task=pipeline,
                    name=MODEL,
                    # Left out, MLflow would look for both on a model hub.
                    model_card=ModelCard.load(place / "README.md"),
                    pip_requirements=_requirements(),
                )
        finally:
            mlflow.set_tracking_uri(before)

    def close(self) -> None:
        """Say that the run has ended."""
        self._client.set_terminated(self._run_id, self._finished)


def _load_pipeline(name: str) -> None:
    """Has transformers' list of pipelines name the class of one, which MLflow asks for its name.

    Some versions have the place of the class there as text, and load it when a pipeline is made; they take
    either.
    """
    from transformers import pipelines

    entry: dict[str, Any] = pipelines.check_task(name)[1]
    if isinstance(place := entry.get("impl"), str):
        module, _, kind = place.rpartition(".")
        entry["impl"] = getattr(import_module(module), kind)


def missing(what: str, package: str, remedy: str, error: ImportError) -> TrainingError:
    """What is told where the package of a tracker is not installed."""
    return TrainingError(
        f"logging to {what} needs the package {package} on every rank ({error}); install it, or set {remedy}"
    )


def local(folder: Folder, key: str) -> Path:
    """The folder as a local path; TrainingError where it is none."""
    if not folder.is_local:
        raise TrainingError(
            f"{key} writes beside the checkpoints, but {folder.location} is not on a local disk; "
            f"set train.mlflow to the URI of a tracking server, or keep metrics.jsonl alone"
        )
    return folder.local_path


def _has_pipeline(name: str) -> bool:
    from transformers.pipelines import PIPELINE_REGISTRY

    return name in PIPELINE_REGISTRY.get_supported_tasks()


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in _PINNED]
