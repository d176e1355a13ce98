"""`spark-submit --master yarn`: tables, checkpoints and model on HDFS, ranks on two NodeManagers."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from pipelines.lake import Catalog, Lake, Ledger
from tests.cluster.conftest import Submission
from tests.support.cli import write_run
from tests.support.corpus import write_corpus
from tests.support.hadoop import MiniHadoop
from training.logs.metrics import read_metrics

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1500)]

TRAIN = {
    "num_ranks": 2,
    "steps": 8,
    "global_batch_size": 8,
    "warmup_steps": 2,
    "validate_every": 4,
    "validate_sequences": 16,
    "checkpoint_every": 4,
    "log_every": 1,
}


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yarn-run")
    write_corpus(folder / "corpus.jsonl", 150)
    return write_run(folder / "run.yaml", folder / "corpus.jsonl", spark={}, train=TRAIN)


@pytest.fixture(scope="module")
def lake(
    hadoop: MiniHadoop, bundle: dict[str, str], run_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    """The lake of a whole job that ran in cluster mode: the driver is a container as well."""
    place = f"{hadoop.uri}/lake"
    submission = Submission(
        hadoop,
        bundle,
        "cluster",
        ["run", run_file.name, "--set", f"lake={place}"],
        tmp_path_factory.mktemp("cluster-mode"),
        ("--files", str(run_file)),
    )
    assert submission.wait(1200) == 0, submission.told()
    return Lake.at(place)


def test_cluster_mode_runs_the_whole_job_on_hdfs(lake: Lake, hadoop: MiniHadoop) -> None:
    records = Ledger(lake).records()
    assert [record.state for record in records] == ["succeeded"] * 9
    for record in records:
        spent = record.rows_out + record.rows_rejected + record.rows_quarantined + record.rows_duplicate
        assert record.rows_in == spent, record.stage
    trained = next(record for record in records if record.stage == "train")
    assert trained.details["num_ranks"] == 2
    assert trained.details["metrics"].startswith(f"{hadoop.uri}/lake/checkpoints/")
    folder = lake.checkpoints.child(trained.details["checkpoint_key"])
    assert [line["step"] for line in read_metrics(folder)] == list(range(1, 9))
    assert folder.exists("step-000000008")
    assert lake.model.exists("model.safetensors")
    assert lake.report.read_text().startswith("<!doctype html>")
    assert json.loads(lake.evaluation.read_text())["model"]["bits_per_byte"] > 0
    assert not lake.root.exists(".lock")
    # Executors of one core hold a rank each, and they were on different nodes.
    executors = [node for name, node in hadoop.nodes().items() if not name.endswith("_000001")]
    assert sorted(set(executors)) == [0, 1]


@pytest.mark.rare
def test_client_mode_goes_on_when_a_node_dies_in_training(
    lake: Lake, hadoop: MiniHadoop, bundle: dict[str, str], run_file: Path, tmp_path: Path
) -> None:
    before, containers = Catalog(lake).version("sequences"), set(hadoop.nodes())
    arguments = ["run", str(run_file), "--set", f"lake={lake.location}", "--set", "train.steps=40"]
    arguments += ["--until", "train"]
    arguments += ["--set", "train.max_restarts=2", "--set", "train.elastic={min: 1, max: 2}"]
    submission = Submission(hadoop, bundle, "client", arguments, tmp_path)
    while submission.is_running and not any("train: step 12/40" in line for line in submission.lines):
        time.sleep(0.1)
    master = next(
        node for name, node in hadoop.nodes().items() if name not in containers and name.endswith("_000001")
    )
    hadoop.stop_node(1 - master)
    assert submission.wait(900) == 0, submission.told()
    told = "\n".join(submission.lines)
    assert "[1/6] ingest: up to date" in told
    assert Catalog(lake).version("sequences") == before
    assert re.search(r"rank \d of 2 on host \S+ failed", told), told
    trained = Ledger(lake).latest("train")
    assert trained is not None
    assert trained.details["resumed_from"] >= 4
    assert trained.details["sequences_used"] == trained.details["sequences_planned"] == 320
    lines = read_metrics(lake.checkpoints.child(trained.details["checkpoint_key"]))
    assert [line["step"] for line in lines] == list(range(1, 41))
