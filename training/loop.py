"""The training loop of one rank."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from training.checkpoint import save_checkpoint
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import training_schedule
from training.errors import TrainingError
from training.evaluate import score
from training.export import export_model
from training.job import TrainJob
from training.launch.events import emit
from training.metrics import MetricsLog
from training.model import build_model, count_parameters
from training.optim import make_optimizer
from training.state import capture, restore
from training.step import Stepper, StepResult
from training.storage import Folder
from training.strategies import is_server, make_strategy, serve
from training.tokens import end_of_document_id


def train_rank(job: TrainJob) -> dict[str, Any]:
    """Train on this rank; the launcher runs it on every rank at the same time.

    Returns:
        Facts of the training (JSON values), equal on all ranks up to times.

    Raises:
        TrainingError: The loss is not finite.
        DataError: Data, model or checkpoint do not fit.
    """
    if is_server(job.config.strategy):
        return serve(job.config)
    return _Trainer(job).run()


class _Trainer:
    """The parts of a training and the order in which they work."""

    def __init__(self, job: TrainJob) -> None:
        self._job, self._config = job, job.config
        self._strategy = make_strategy(job.config.strategy)
        self._leads = self._strategy.rank == 0
        self._model: Any = build_model(
            job.model,
            vocab_size=job.vocab_size,
            sequence_length=job.train.sequence_length,
            end_id=end_of_document_id(job.tokenizer_dir),
            seed=job.config.seed,
        )
        self._optimizer = make_optimizer(self._model, job.config)
        self._checkpoints = Folder(job.checkpoint_dir)
        self._totals = restore(
            self._model, self._optimizer, self._strategy, self._checkpoints, job.identity(), _say
        )
        self._start = self._totals.step
        self._strategy.start(self._model, self._optimizer)
        full_targets = job.plan.global_batch_size * (job.train.sequence_length - 1)
        self._stepper = Stepper(self._model, self._optimizer, self._strategy, job.config, full_targets)

    def run(self) -> dict[str, Any]:
        """The steps that are left, then the model folder."""
        if self._start and self._leads:
            _say(f"train: going on from the checkpoint of step {self._start}")
        if self._start < self._config.steps:
            self._train()
        if self._leads:
            tokenizer, target = Folder(self._job.tokenizer_dir), Folder(self._job.model_dir)
            export_model(self._model, tokenizer, target, self._card())
        self._strategy.close()
        return self._facts()

    def _train(self) -> None:
        config, plan = self._config, self._job.plan
        schedule = training_schedule(
            plan, self._strategy.rank, self._strategy.world_size, self._start, config.steps
        )
        log = MetricsLog(self._checkpoints, self._start) if self._leads else None
        pace = _Pace(config.steps, self._start)
        with SequenceReader(self._job.train, schedule, self._job.vocab_size) as reader:
            for step in range(self._start, config.steps):
                began, waited = time.perf_counter(), reader.wait_seconds
                batch = next(reader)
                settle = self._settles_after(step + 1)
                result = self._stepper.step(batch, reader.wait_seconds - waited, settle=settle)
                if not math.isfinite(result.loss):
                    raise TrainingError(_describe_bad_loss(result.loss, step, plan))
                line = self._account(result, time.perf_counter() - began)
                if self._is_due(config.validate_every):
                    line["validation_loss"] = self._validate()
                if self._is_due(config.checkpoint_every):
                    self._strategy.collect()
                if log is None:
                    continue
                log.write(line)
                pace.add(result, line["seconds"])
                if self._is_due(config.log_every) or step == self._start:
                    emit({"type": "step", **line, **pace.take(step + 1)})
                if self._is_due(config.checkpoint_every):
                    checkpoint = capture(self._model, self._optimizer, self._totals, self._job.identity())
                    save_checkpoint(self._checkpoints, checkpoint, config.keep_checkpoints)
        if log:
            log.close()

    def _is_due(self, every: int) -> bool:
        step = self._totals.step
        return step % every == 0 or step == self._config.steps

    def _settles_after(self, step: int) -> bool:
        config = self._config
        return step == config.steps or not (step % config.validate_every and step % config.checkpoint_every)

    def _account(self, result: StepResult, seconds: float) -> dict[str, Any]:
        """Add a step to the totals; returns its line of the log."""
        totals = self._totals
        totals.step += 1
        totals.sequences += result.sequences
        totals.tokens += result.tokens
        totals.seconds += seconds
        totals.wait_seconds += result.wait_seconds
        totals.loss = result.loss
        return {
            "step": totals.step,
            "epoch": self._job.plan.position(totals.step - 1)[0],
            "loss": result.loss,
            "lr": result.learning_rate,
            "grad_norm": result.grad_norm,
            "sequences": result.sequences,
            "tokens": result.tokens,
            "tokens_per_second": result.tokens / seconds,
            "data_wait_share": result.wait_seconds / seconds,
            "seconds": seconds,
            "ids_hash": result.ids_hash,
            **self._strategy.metrics(),
        }

    def _validate(self) -> float:
        job = self._job
        count = min(self._config.validate_sequences, job.validation.num_sequences)
        scored = score(
            self._model, job.validation, count, job.vocab_size, self._config.micro_batch_size, self._strategy
        )
        self._model.train()
        self._totals.note_validation(scored.loss)
        if self._leads:
            emit({"type": "validation", "step": self._totals.step, "loss": scored.loss})
        return scored.loss

    def _facts(self) -> dict[str, Any]:
        return {
            **asdict(self._totals),
            "parameters": count_parameters(self._model),
            "resumed_from": self._start,
            "num_ranks": self._strategy.world_size,
        }

    def _card(self) -> dict[str, Any]:
        totals = self._totals
        return {
            "parameters": f"{count_parameters(self._model):,}",
            "steps": totals.step,
            "sequences": totals.sequences,
            "tokens": f"{totals.tokens:,}",
            "training loss (nats)": f"{totals.loss:.4f}",
            "validation loss (nats)": f"{totals.validation_loss:.4f}",
            "sequence length": self._job.train.sequence_length,
            **self._job.source,
        }


class _Pace:
    """Speed between two progress lines and the time that is left."""

    def __init__(self, steps: int, start: int) -> None:
        self._steps, self._start = steps, start
        self._began = time.perf_counter()
        self._clear()

    def _clear(self) -> None:
        self._tokens, self._seconds, self._waited = 0, 0.0, 0.0

    def add(self, result: StepResult, seconds: float) -> None:
        """Count a step."""
        self._tokens += result.tokens
        self._seconds += seconds
        self._waited += result.wait_seconds

    def take(self, step: int) -> dict[str, Any]:
        """Rates since the last call, and the seconds left at the pace so far, validations included."""
        elapsed = time.perf_counter() - self._began
        rates = {
            "steps": self._steps,
            "tokens_per_second": self._tokens / self._seconds,
            "data_wait_share": self._waited / self._seconds,
            "eta_seconds": elapsed / (step - self._start) * (self._steps - step),
        }
        self._clear()
        return rates


def _describe_bad_loss(loss: float, step: int, plan: SamplePlan) -> str:
    ids = np.concatenate(plan.batch(step)).tolist()
    return (
        f"the loss of step {step + 1} is {loss}; the model was not updated. Lower train.learning_rate or "
        f"look at the sequences of this global batch: sequence_id in {ids}"
    )


def _say(line: str) -> None:
    emit({"type": "line", "text": line})
