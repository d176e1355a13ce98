"""Scores a model on sequences: sum of nats, targets and bytes, split over the ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ringlake.base.storage import Folder
from ringlake.base.tasks import LANGUAGE_MODEL
from training.data.layout import Layout
from training.data.reader import SequenceReader
from training.data.schedule import sequential_schedule
from training.device import gpu_seconds, reads_ahead
from training.errors import DataError
from training.facts import target_of
from training.job import EvaluateJob
from training.launch.events import emit
from training.models.build import load_model
from training.models.document_mask import keeps_apart
from training.models.precision import autocast
from training.models.sides import TARGET_FOLDER
from training.models.tokens import TokenizerFile
from training.outcome import Score
from training.strategies import Strategy, make_strategy
from training.tasks.basis import TaskBasis
from training.tasks.language_model import LanguageModel
from training.tasks.make import make_task
from training.tasks.task import Task

PROGRESS_BATCHES = 10
"""Batches of rank 0 between two lines of progress."""


def score(
    model: Any,
    layout: Layout,
    num_sequences: int,
    vocab_size: int,
    batch_size: int,
    strategy: Strategy,
    task: Task,
    *,
    precision: str = "fp32",
    shows_progress: bool = False,
) -> Score:
    """The score of the first `num_sequences` sequences, the same on all ranks; leaves the model in eval mode.

    Args:
        model: A model of transformers.
        layout: Where the sequences lie.
        num_sequences: How many of them, from sequence_id 0.
        vocab_size: Entries of the tokenizer.
        batch_size: Sequences that are computed at once.
        strategy: Its ranks divide the sequences.
        task: What it has learned.
        precision: What the model computes in, see `training.models.precision`.
        shows_progress: Whether rank 0 says how far it is.
    """
    device = next(model.parameters()).device
    schedule = sequential_schedule(
        num_sequences, batch_size, layout.block_rows, strategy.rank, strategy.world_size
    )
    model.eval()
    numbers = torch.zeros(4, dtype=torch.float64)
    with torch.inference_mode(), SequenceReader(layout, schedule, vocab_size, reads_ahead(device)) as reader:
        for batch in reader:
            for part in task.micro_batches(batch, batch_size, alone=False):
                tensors = part.on(device)
                with autocast(precision, device):
                    nats_of_part = task.nats(model, tensors)
                numbers[0] += float(nats_of_part)
                numbers[1] += part.targets
                numbers[2] += task.num_bytes(tensors)
            numbers[3] += len(batch.sequence_ids)
            if shows_progress and strategy.rank == 0 and (batch.step + 1) % PROGRESS_BATCHES == 0:
                done = min(num_sequences, int(numbers[3]) * strategy.world_size)
                emit({"type": "line", "text": f"evaluate: {done:,} of {num_sequences:,} sequences"})
    strategy.add_numbers(numbers)
    nats, num_targets, num_bytes, count = numbers.tolist()
    return Score(nats, int(num_targets), int(num_bytes), int(count))


def evaluate_rank(job: EvaluateJob) -> Score:
    """Score a model folder on a whole split; the launcher runs it on every rank at the same time."""
    strategy = make_strategy()
    tokenizer = TokenizerFile(Folder(job.tokenizer_dir or job.model_dir))
    if job.task == LANGUAGE_MODEL:
        model = load_model(job.model_dir)
        task: Task = _language_model(job, model, tokenizer)
    else:
        within = Folder(job.model_dir).child(TARGET_FOLDER)
        targets = TokenizerFile(within) if target_of(job.facts) is not None else None
        task = make_task(job.task, job.config, job.facts, tokenizer, targets)
        model = load_model(job.model_dir, kind=task.kind)
    found = score(
        model,
        job.layout,
        job.layout.num_sequences,
        job.vocab_size,
        job.batch_size,
        strategy,
        task,
        shows_progress=True,
    )
    return replace(found, gpu_seconds=gpu_seconds(next(model.parameters()).device, strategy.world_size))


def _language_model(job: EvaluateJob, model: Any, tokenizer: TokenizerFile) -> LanguageModel:
    """The task of a language model, which itself says whether it keeps documents apart."""
    apart = keeps_apart(model) if job.apart is None else job.apart
    document_end = tokenizer.end_of_document_id() if apart else None
    if apart and document_end is None:
        raise DataError(
            f"the model {job.model_dir!r} was trained with train.document_mask, but its tokenizer names no "
            f"token that ends a document; put back the tokenizer that it was trained with"
        )
    lengths = TaskBasis(job.task, job.config, job.facts, tokenizer).byte_lengths
    return LanguageModel(document_end, apart=document_end is not None, byte_lengths=lengths)
