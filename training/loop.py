"""The training loop of one rank."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from ringlake.base.storage import Folder
from training.added import section_of
from training.checkpoints.checkpoint import Checkpoint, load_step
from training.checkpoints.state import TrainingState, capture, copy_weights, restore
from training.data.reader import SequenceReader
from training.data.schedule import training_schedule
from training.device import gpu_seconds, peak_tflops, reads_ahead
from training.errors import DataError, TrainingError
from training.evaluate import score
from training.job import TrainJob
from training.launch.events import emit
from training.logs.mlflow_run import MlflowRun
from training.logs.outputs import Outputs, Pace
from training.models.build import build_model, check_uses_all, count_parameters, speed_up
from training.models.card.facts import training_facts
from training.models.export import check_export, export_model
from training.models.flops import flops_per_token
from training.models.lora import add_adapters, export_adapters, has_adapters, merge_adapters
from training.models.precision import LossScale
from training.models.tokens import TokenizerFile
from training.optim import freeze, make_optimizer
from training.outcome import Served, Trained
from training.sources import table_key
from training.step import Stepper, StepResult
from training.strategies import is_server, make_strategy, serve
from training.tasks.make import make_task
from training.trial import try_out

_DRAWS = (
    "train: the model draws random numbers in training (dropout or the like), so it computes one sequence "
    "at a time, each with draws of its own; with dropouts of 0 in model.config, as many as "
    "train.micro_batch_size says"
)

_NOTHING_TO_VALIDATE = (
    "the validation sequences have no target (each is one token), so there is no validation loss, and "
    "nothing that train.patience, train.plateau or train.export = best could go by; raise "
    "dedup.validation_fraction"
)


def take_part(job: TrainJob) -> Trained | Served:
    """Train or, as the last processes of a parameter server's launch do, serve.

    The launcher runs it in every process at the same time.

    Raises:
        TrainingError: As `train_rank` does.
        PeerLostError: A process is gone that the others cannot go on without.
    """
    return serve(job.config) if is_server(job.config.strategy) else train_rank(job)


def train_rank(job: TrainJob) -> Trained:
    """Train on this rank, at the same time as all others do.

    Raises:
        TrainingError: The loss or the gradient is not finite, or a checkpoint could not be written.
        DataError: Data, model or checkpoint do not fit.
    """
    return _Trainer(job).run()


class _Trainer:
    """The parts of a training and the order in which they work."""

    def __init__(self, job: TrainJob) -> None:
        self._job, self._config = job, job.config
        self._strategy = make_strategy(job.config.strategy)
        self._leads = self._strategy.rank == 0
        tokenizer = TokenizerFile(Folder(job.tokenizer_dir))
        end_id = tokenizer.end_of_document_id()
        self._targets = Folder(job.target_tokenizer_dir) if job.target_tokenizer_dir else None
        targets = None if self._targets is None else TokenizerFile(self._targets)
        self._task = make_task(job.task.name, job.config, job.facts, tokenizer, targets)
        self._model: Any = build_model(
            job.model,
            task=self._task,
            vocab_size=job.vocab_size,
            sequence_length=job.train.sequence_length,
            end_id=end_id,
            seed=job.config.seed,
        )
        self._task.prepare(self._model)
        if job.config.lora.rank:
            add_adapters(self._model, job.config.lora, self._task, job.config.seed)
        freeze(self._model, job.config.frozen)
        self._parameters = count_parameters(self._model)
        check_uses_all(self._model, section_of(job.config.strategy))
        draws = try_out(self._model, job.train.sequence_length, self._task)
        if draws and self._leads:
            _say(_DRAWS)
        if self._leads:
            check_export(self._model.config, Folder(job.tokenizer_dir), self._task, self._targets)
        self._optimizer = make_optimizer(self._model, job.config)
        self._checkpoints = Folder(job.checkpoint_dir)
        fresh = TrainingState(loss_scale=LossScale.of(job.config.precision))
        self._state = restore(
            self._model, self._optimizer, self._strategy, self._checkpoints, job.identity(), fresh, _say
        )
        self._start = self._state.totals.step
        self._strategy.start(self._model, self._optimizer)
        speed_up(self._model, job.config)
        full_targets = job.plan.global_batch_size * (job.train.sequence_length - 1)
        self._stepper = Stepper(
            self._model,
            self._optimizer,
            self._strategy,
            job.config,
            full_targets,
            self._state.loss_scale,
            self._task,
            draws,
        )
        self._stepper.rate_scale = self._state.steering.rate_scale
        self._flops = flops_per_token(self._model, job.train.sequence_length - 1)
        device = next(self._model.parameters()).device
        self._reads_ahead = reads_ahead(device)
        self._peak = job.config.peak_tflops or peak_tflops(device, job.config.precision)
        self._said_nothing_to_validate = False

    def run(self) -> Trained:
        """The steps that are left, then the model folder."""
        is_done = self._start >= self._config.steps or self._state.steering.stopped
        if self._start and self._leads:
            _say(
                f"train: the checkpoint of step {self._start} is the end of this training; no step is left, "
                f"the model is written from it"
                if is_done
                else f"train: going on from the checkpoint of step {self._start}"
            )
        if not is_done:
            self._train()
        self._model = self._strategy.finish(self._model)
        if self._leads:
            self._export()
        self._strategy.close()
        return self._outcome()

    def _train(self) -> None:
        config, plan = self._config, self._job.plan
        schedule = training_schedule(
            plan, self._strategy.rank, self._strategy.world_size, self._start, config.steps
        )
        pace = Pace(config.steps, self._start)
        with (
            SequenceReader(self._job.train, schedule, self._job.vocab_size, self._reads_ahead) as reader,
            Outputs(self._job, self._checkpoints, self._start) if self._leads else nullcontext() as outputs,
        ):
            for step in range(self._start, config.steps):
                began, waited = time.perf_counter(), reader.wait_seconds
                batch = next(reader)
                own_wait = reader.wait_seconds - waited
                settles = self._settles_after(step + 1)
                result = self._stepper.step(batch, own_wait, settle=settles)
                self._refuse_bad_step(result, step)
                line = self._account(result, time.perf_counter() - began, own_wait)
                if settles and self._strategy.has_lost_ranks:
                    # Settled: the ranks that are left have reported all their steps.
                    totals = self._state.totals
                    totals.lost = plan.count_sequences(totals.step) - totals.sequences
                if self._validates():
                    line |= self._validate()
                steering = self._state.steering
                is_best = steering.best_step == step + 1
                saves = self._is_due(config.checkpoint_every) or is_best or steering.stopped
                if saves:
                    self._strategy.collect()
                if outputs is not None:
                    logs = self._is_due(config.log_every) or step == self._start
                    outputs.log(line, logs)
                    pace.add(result, line["seconds"])
                    if logs:
                        emit({"type": "step", **line, **pace.take(step + 1)})
                    if saves:
                        outputs.save(capture(self._model, self._optimizer, self._state, self._job.identity()))
                if steering.stopped:
                    break

    def _is_due(self, every: int) -> bool:
        return _falls_on(every, self._state.totals.step) or self._state.totals.step == self._config.steps

    def _validates(self) -> bool:
        return self._config.validate_every > 0 and self._is_due(self._config.validate_every)

    def _settles_after(self, step: int) -> bool:
        config = self._config
        return step == config.steps or any(
            _falls_on(every, step) for every in (config.validate_every, config.checkpoint_every)
        )

    def _refuse_bad_step(self, result: StepResult, step: int) -> None:
        if not result.targets:
            return
        if math.isfinite(result.loss) and (math.isfinite(result.grad_norm) or result.skipped):
            return
        what = "loss" if not math.isfinite(result.loss) else "gradient norm"
        value = result.loss if what == "loss" else result.grad_norm
        raise TrainingError(_describe_bad_step(what, value, step, self._job))

    def _account(self, result: StepResult, seconds: float, own_wait: float) -> dict[str, Any]:
        """Add a step to the totals; returns its line of the log."""
        totals, ranks = self._state.totals, self._strategy.world_size
        totals.step += 1
        totals.sequences += result.sequences
        totals.tokens += result.tokens
        totals.seconds += seconds
        totals.wait_seconds += result.wait_seconds
        totals.communication_seconds += result.communication_seconds
        if result.targets:
            totals.loss = result.loss
        rate = result.tokens / seconds
        tflops = rate * self._flops / 1e12
        line = {
            "step": totals.step,
            "epoch": self._job.plan.position(totals.step - 1)[0],
            "loss": result.loss if result.targets else None,
            "lr": result.learning_rate,
            "grad_norm": result.grad_norm if math.isfinite(result.grad_norm) else None,
            "sequences": result.sequences,
            "tokens": result.tokens,
            "tokens_per_second": rate,
            "tokens_per_second_per_rank": rate / ranks,
            "tflops": tflops,
            "data_wait_share": result.wait_seconds / seconds,
            "seconds": seconds,
            "data_seconds": own_wait,
            "compute_seconds": result.compute_seconds,
            "communication_seconds": result.communication_seconds,
            "memory_bytes": result.memory_bytes,
            "ids_hash": result.ids_hash,
            "ring_bytes": self._stepper.ring_bytes,
            **self._strategy.metrics(),
        }
        if self._stepper.padding_share:
            line["padding_share"] = self._stepper.padding_share
        if self._job.plan.num_tables > 1:
            after, before = (self._job.plan.count_by_table(totals.step - back) for back in (0, 1))
            line["planned_by_table"] = [new - old for new, old in zip(after, before, strict=True)]
        if self._peak is not None:
            line["mfu"] = tflops / (self._peak * ranks)
        if self._config.precision == "fp16":
            line |= {"loss_scale": result.loss_scale, "skipped": result.skipped}
        return line

    def _validate(self) -> dict[str, Any]:
        """Score the validation sequences and let the score steer; returns what the log says about it."""
        job, totals, steering = self._job, self._state.totals, self._state.steering
        if job.validation is None:
            return {}
        scored = score(
            self._model,
            job.validation,
            min(self._config.validate_sequences, job.validation.num_sequences),
            job.vocab_size,
            self._config.micro_batch_size,
            self._strategy,
            self._task,
            precision=self._config.precision,
        )
        self._model.train()
        if scored.loss is None:
            if self._leads and not self._said_nothing_to_validate:
                _say(f"train: step {totals.step}: {_NOTHING_TO_VALIDATE}")
            self._said_nothing_to_validate = True
            return {}
        totals.validation_loss = scored.loss
        decisions = steering.note(scored.loss, totals.step, self._config)
        self._stepper.rate_scale = steering.rate_scale
        if self._leads:
            emit({"type": "validation", "step": totals.step, "loss": scored.loss})
            for decision in decisions:
                _say(f"train: step {totals.step}: {decision}")
        line: dict[str, Any] = {"validation_loss": scored.loss, "best_step": steering.best_step}
        if scored.bits_per_byte is not None:
            line["validation_bits_per_byte"] = scored.bits_per_byte
        if decisions:
            line["decisions"] = decisions
        return line

    def _export(self) -> None:
        """Write the model folder from the last weights or, if so configured, the best ones."""
        job, totals, best = self._job, self._state.totals, self._state.steering.best_step
        step = best if self._config.export == "best" and best else totals.step
        if step != totals.step:
            copy_weights(self._load_best(step), self._model)
            _say(f"train: the model has the weights of step {step}, which validated best (train.export)")
        if has_adapters(self._model):
            if self._config.lora.adapters:
                export_adapters(self._model, Folder(job.model_dir))
            self._model = merge_adapters(self._model)
        facts = training_facts(
            job,
            self._state,
            step=step,
            parameters=self._parameters,
            num_ranks=self._strategy.world_size,
        )
        places = Folder(job.tokenizer_dir), Folder(job.model_dir)
        export_model(self._model, *places, facts, self._task, job.about.terms, self._targets)
        if self._config.mlflow_model:
            self._log_model()

    def _log_model(self) -> None:
        """Log the model folder to the run of the training, which it has begun before."""
        job, config = self._job, self._config
        assert config.mlflow is not None
        run = MlflowRun(config.mlflow, self._checkpoints, self._state.totals.step, job.identity())
        place = run.log_model(Folder(job.model_dir), self._task.pipeline)
        run.close()
        _say(f"train: the model is logged to MLflow: {place}")

    def _load_best(self, step: int) -> Checkpoint:
        try:
            return load_step(self._checkpoints, step)
        except DataError as error:
            raise DataError(
                f"train.export = best needs it: {error}; the same command with train.export = last writes "
                f"the model from the last weights, and trains no step again"
            ) from error

    def _outcome(self) -> Trained:
        steering = self._state.steering
        return Trained(
            totals=replace(self._state.totals),
            best_validation_loss=steering.best_loss,
            best_step=steering.best_step,
            stopped_early=steering.stopped,
            parameters=self._parameters,
            flops_per_token=self._flops,
            resumed_from=self._start,
            num_ranks=self._strategy.world_size,
            gpu_seconds=gpu_seconds(next(self._model.parameters()).device, self._strategy.world_size),
        )


def _falls_on(every: int, step: int) -> bool:
    """Whether something that comes every so many steps, 0 for never, comes after a step."""
    return every > 0 and step % every == 0


def _describe_bad_step(what: str, value: float, step: int, job: TrainJob) -> str:
    ids = np.concatenate(job.plan.batch(step))
    places = f"in {ids.tolist()}"
    if job.plan.num_tables > 1:
        places = ", ".join(
            f"in {own.tolist()} of {job.source[table_key('table', number)]}"
            for number, own in enumerate(job.plan.by_table(ids))
            if len(own)
        )
    return (
        f"the {what} of step {step + 1} is {value}; the model was not updated. Lower train.learning_rate or "
        f"look at the sequences of this global batch: sequence_id {places}"
    )


def _say(line: str) -> None:
    emit({"type": "line", "text": line})
