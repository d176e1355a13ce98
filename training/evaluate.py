"""Scores a model on sequences: sum of nats, targets and bytes, split over the ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ringlake.base.storage import Folder
from training.data.layout import Layout
from training.data.reader import SequenceReader
from training.data.schedule import sequential_schedule
from training.device import reads_ahead
from training.errors import DataError
from training.job import EvaluateJob
from training.launch.events import emit
from training.models.build import load_model
from training.models.document_mask import keeps_apart
from training.models.loss import IGNORED, shift_targets, sum_nats
from training.models.precision import autocast
from training.models.tokens import TokenizerFile
from training.outcome import Score
from training.strategies import Strategy, make_strategy

PROGRESS_BATCHES = 10
"""Batches of rank 0 between two lines of progress."""


def score(
    model: Any,
    layout: Layout,
    num_sequences: int,
    vocab_size: int,
    batch_size: int,
    strategy: Strategy,
    byte_lengths: npt.NDArray[np.int64] | None = None,
    *,
    document_end: int | None = None,
    precision: str = "fp32",
    shows_progress: bool = False,
) -> Score:
    """The score of the first `num_sequences` sequences, the same on all ranks; leaves the model in eval mode.

    Args:
        model: A causal language model of transformers.
        layout: Where the sequences lie.
        num_sequences: How many of them, from sequence_id 0.
        vocab_size: Entries of the tokenizer.
        batch_size: Sequences that are computed at once.
        strategy: Its ranks divide the sequences.
        byte_lengths: Bytes of each token, (vocab_size,); None to leave bytes out.
        document_end: Token that ends a document, where attention must not cross documents; else None.
        precision: What the model computes in, see `training.models.precision`.
        shows_progress: Whether rank 0 says how far it is.
    """
    device = next(model.parameters()).device
    table = torch.from_numpy(byte_lengths).to(device) if byte_lengths is not None else None
    schedule = sequential_schedule(
        num_sequences, batch_size, layout.block_rows, strategy.rank, strategy.world_size
    )
    model.eval()
    numbers = torch.zeros(4, dtype=torch.float64)
    with torch.inference_mode(), SequenceReader(layout, schedule, vocab_size, reads_ahead(device)) as reader:
        for batch in reader:
            ids = torch.from_numpy(batch.input_ids.astype(np.int64)).to(device)
            targets = shift_targets(ids, torch.from_numpy(batch.num_tokens.astype(np.int64)).to(device))
            real = targets[targets != IGNORED]
            with autocast(precision, device):
                nats_of_batch = sum_nats(model, ids, targets, document_end)
            numbers[0] += float(nats_of_batch)
            numbers[1] += real.numel()
            numbers[2] += int(table[real].sum()) if table is not None else 0
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
    model = load_model(job.model_dir)
    tokenizer = TokenizerFile(Folder(job.model_dir))
    document_end = tokenizer.end_of_document_id() if keeps_apart(model) else None
    if keeps_apart(model) and document_end is None:
        raise DataError(
            f"the model {job.model_dir!r} was trained with train.document_mask, but its tokenizer names no "
            f"token that ends a document; put back the tokenizer that it was trained with"
        )
    lengths = tokenizer.byte_lengths()
    return score(
        model,
        job.layout,
        job.layout.num_sequences,
        job.vocab_size,
        job.batch_size,
        strategy,
        lengths,
        document_end=document_end,
        shows_progress=True,
    )
