"""Object stores: input files, sequences and checkpoints on S3, through fsspec's own client."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest

from ringlake.base.storage import Folder
from tests.support.cli import ringlake, status
from tests.support.s3 import BUCKET, s3_server
from tests.training.tables import random_tokens, write_sequences
from tests.training.test_checkpoint_writer import make
from training.checkpoints.checkpoint import load_latest
from training.checkpoints.writer import CheckpointWriter
from training.data.layout import read_layout
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import training_schedule
from training.data.snapshot import DataFile

VOCAB = 64


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables


def test_ingest_reads_folders_and_globs(s3: dict[str, str], tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(number), "text": f"Text number {number}."}) for number in range(30)]
    store = fsspec.filesystem("s3")
    store.pipe(f"{BUCKET}/in/a.jsonl", "\n".join(lines[:10]).encode())
    store.pipe(f"{BUCKET}/in/deep/b.jsonl.gz", gzip.compress("\n".join(lines[10:20]).encode()))
    store.pipe(f"{BUCKET}/in/deep/cut.jsonl.gz", gzip.compress(b"\n".join([b"{}"] * 9))[:-9])
    store.pipe(f"{BUCKET}/other/c-1.jsonl", "\n".join([*lines[20:], "no JSON"]).encode())
    lake = tmp_path / "lake"
    inputs = [f"--input=s3://{BUCKET}/in", f"--input=s3://{BUCKET}/other/c-*.jsonl"]
    done = ringlake("ingest", *inputs, "--lake", lake, "--set", "spark.master=local[1]", env=s3)
    assert s3["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    (run,) = status(lake)["runs"]
    assert (run["rows_in"], run["rows_out"], run["rows_quarantined"]) == (32, 30, 2)
    shown = ringlake("show", lake, "quarantine", "--format", "jsonl").stdout
    found = {(row["source"], row["reason"]) for row in map(json.loads, shown.splitlines())}
    assert {source for source, _ in found} == {"deep/cut.jsonl.gz", "c-1.jsonl"}


def test_training_reads_sequences(s3: dict[str, str], tmp_path: Path) -> None:
    tokens = random_tokens(130, 8, VOCAB, seed=3)
    local = write_sequences(tmp_path / "sequences", tokens, rows_per_group=16, rows_per_file=48)
    files = []
    for file in local.files:
        place = f"{BUCKET}/sequences/split=train/{Path(file.path).name}"
        fsspec.filesystem("s3").put_file(file.path, place)
        Path(file.path).unlink()
        files.append(DataFile(f"s3://{place}", file.num_rows))
    layout = read_layout(replace(local, table=f"s3://{BUCKET}/sequences", files=tuple(files)))
    plan = SamplePlan(layout.num_sequences, 5, 12, 4, layout.block_rows)
    steps = 0
    with SequenceReader(layout, training_schedule(plan, 0, 1, 3, 20), VOCAB) as reader:
        for step, batch in enumerate(reader, start=3):
            assert batch.sequence_ids.tolist() == plan.rank_batch(step, 0, 1).tolist()
            assert np.array_equal(batch.input_ids, tokens[batch.sequence_ids])
            steps += 1
    assert steps == 17


def test_checkpoints_are_written_pruned_and_loaded(s3: dict[str, str]) -> None:
    folder = Folder(f"s3://{BUCKET}/run/checkpoints")
    with CheckpointWriter(folder, keep=2) as writer:
        for step in (1, 2, 3):
            writer.save(make(step, best_step=1))
    assert folder.names() == [f"step-00000000{step}" for step in (1, 2, 3)]
    # A writer that died left the newest without its last file.
    fsspec.filesystem("s3").rm(f"{BUCKET}/run/checkpoints/step-000000003/model.safetensors")
    found = load_latest(folder, {}, print)
    assert found is not None
    assert (found.step, float(found.model["w"][0, 0])) == (2, 2.0)
