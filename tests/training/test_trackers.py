"""Metrics in TensorBoard and MLflow; without their packages a clear error."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoTokenizer

from ringlake.base.storage import Folder
from tests.training.card.models import export
from tests.training.tiny import make_config, make_job
from training.errors import TrainingError
from training.logs.metrics import read_metrics
from training.logs.mlflow_run import MLFLOW_RUN_FILE, MlflowRun
from training.logs.trackers import Trackers
from training.loop import train_rank


@pytest.mark.parametrize(
    ("key", "value", "module", "words"),
    [
        ("tensorboard", True, "tensorboard", "needs the package tensorboard .*train.tensorboard to false"),
        ("mlflow", "local", "mlflow", "needs the package mlflow-skinny .*train.mlflow to null"),
    ],
)
def test_a_missing_package_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: Any, module: str, words: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(TrainingError, match=words):
        Trackers(make_config(**{key: value}), Folder(str(tmp_path)), 0, {})


def test_files_beside_checkpoints_need_a_local_disk() -> None:
    pytest.importorskip("tensorboard")
    with pytest.raises(TrainingError, match=r"train.tensorboard .* memory://c is not on a local disk"):
        Trackers(make_config(tensorboard=True), Folder("memory://c"), 0, {})


def test_tensorboard_has_the_numbers_of_the_log(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    job = make_job(tmp_path, make_config(steps=4, log_every=2, tensorboard=True))
    train_rank(job)
    events = accumulator.EventAccumulator(str(Path(job.checkpoint_dir) / "tensorboard"))
    events.Reload()
    lines = read_metrics(Folder(job.checkpoint_dir))
    found = {event.step: event.value for event in events.Scalars("loss")}
    assert found == pytest.approx({line["step"]: line["loss"] for line in lines if line["step"] != 3})
    assert [event.step for event in events.Scalars("validation_loss")] == [4]


def test_mlflow_has_the_numbers_of_the_log_in_one_run_also_after_a_resume(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    job = make_job(tmp_path, make_config(steps=2, log_every=1, mlflow="local"))
    train_rank(job)
    run_id = Folder(job.checkpoint_dir).read(MLFLOW_RUN_FILE).decode()
    again = Trackers(job.config, Folder(job.checkpoint_dir), 2, job.identity())
    again.log({"step": 3, "loss": 1.5, "ids_hash": "x", "grad_norm": None})
    again.close()
    assert Folder(job.checkpoint_dir).read(MLFLOW_RUN_FILE).decode() == run_id
    client = mlflow.MlflowClient((Path(job.checkpoint_dir) / "mlflow").as_uri())
    history = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "loss")]
    lines = read_metrics(Folder(job.checkpoint_dir))
    assert history == [*((line["step"], line["loss"]) for line in lines), (3, 1.5)]
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["train.steps"] == "2"
    other = Trackers(replace(job).config, Folder(str(tmp_path / "other")), 2, {})
    other.close()
    assert Folder(str(tmp_path / "other")).read(MLFLOW_RUN_FILE).decode() != run_id


def test_mlflow_has_the_model_and_gives_it_back(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    job = make_job(tmp_path, make_config(steps=2, validate_every=0, mlflow="local", mlflow_model=True))
    train_rank(job)
    run_id = Folder(job.checkpoint_dir).read(MLFLOW_RUN_FILE).decode()
    uri = (Path(job.checkpoint_dir) / "mlflow").as_uri()
    assert mlflow.get_tracking_uri() != uri
    assert mlflow.MlflowClient(uri).get_run(run_id).info.status == "FINISHED"
    mlflow.set_tracking_uri(uri)
    try:
        opened = mlflow.transformers.load_model(f"runs:/{run_id}/model")
    finally:
        mlflow.set_tracking_uri(None)
    assert opened.task == "text-generation"
    wanted = load_file(Path(job.model_dir) / "model.safetensors")
    found = opened.model.state_dict()
    assert all((found[name] == weights).all() for name, weights in wanted.items())
    text = "the lazy <|endoftext|> dog"
    own = AutoTokenizer.from_pretrained(job.model_dir)
    assert opened.tokenizer(text)["input_ids"] == own(text)["input_ids"]


def test_a_model_without_a_pipeline_is_kept_with_the_run_as_it_is(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    folder = export("translation", tmp_path)
    run = MlflowRun("local", Folder(str(tmp_path)), 0, {})
    told = run.log_model(Folder(str(folder)), "translation")
    assert "no pipeline 'translation'" in told
    client = mlflow.MlflowClient((tmp_path / "mlflow").as_uri())
    run_id = Folder(str(tmp_path)).read(MLFLOW_RUN_FILE).decode()
    kept = client.download_artifacts(run_id, "model")
    names = sorted(file.name for file in folder.iterdir())
    assert sorted(file.name for file in Path(kept).iterdir()) == names


def test_a_model_needs_a_run_to_be_logged_to() -> None:
    with pytest.raises(ValidationError, match="set it to a tracking URI"):
        make_config(mlflow_model=True)
