"""A model of a task that is not asked is scored by the loss of its task on the validation sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.card.models import LABELS, LENGTH, export
from tests.training.tables import write_sequences
from tests.training.tasks.examples import batch_of, random_rows
from tests.training.tiny import VOCAB_SIZE
from training.data.layout import read_layout
from training.data.reader import Batch
from training.evaluate import evaluate_rank
from training.job import EvaluateJob
from training.models.build import load_model
from training.tasks.classification import Classification


def test_the_loss_is_that_of_the_task_and_the_model_is_opened_with_its_head(tmp_path: Path) -> None:
    folder = export("classification", tmp_path)
    batch = batch_of(random_rows(6, LENGTH, 60, seed=9, classes=len(LABELS)), LENGTH)
    words = batch.input_ids
    snapshot = write_sequences(tmp_path / "sequences", words.view(np.int32), vocab_size=2**17)
    facts = {"name": "classification", "labels": list(LABELS), "label_counts": [1] * len(LABELS)}
    layout = read_layout(snapshot)
    found = evaluate_rank(EvaluateJob(str(folder), layout, VOCAB_SIZE, 2, "classification", facts))

    task, model = Classification(LABELS, 0), load_model(str(folder), kind="classification").eval()
    whole = Batch(0, batch.sequence_ids, words, np.full(len(words), LENGTH, np.int32))
    parts = task.micro_batches(whole, 100, alone=False)
    wanted = sum(float(task.nats(model, part.on(torch.device("cpu"))).detach()) for part in parts)
    assert found.nats == pytest.approx(wanted, rel=1e-5)
    assert found.num_targets == sum(part.targets for part in parts)
    assert (found.num_sequences, found.num_bytes) == (6, 0)
