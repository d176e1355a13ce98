"""What rank 0 hands out while it trains: log, trackers, checkpoints, and the pace that progress shows."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from ringlake.base.storage import Folder
from training.checkpoints.checkpoint import Checkpoint
from training.checkpoints.writer import CheckpointWriter
from training.job import TrainJob
from training.logs.metrics import MetricsLog
from training.logs.trackers import Trackers
from training.step import StepResult


class Outputs:
    """What rank 0 writes while it trains: the log, trackers and checkpoints.

    Args:
        job: The training.
        folder: Folder of checkpoints and metrics.
        start: Step that training goes on from.
    """

    def __init__(self, job: TrainJob, folder: Folder, start: int) -> None:
        self._trackers = Trackers(job.config, folder, start, job.identity())
        self._log = MetricsLog(folder, start)
        self.checkpoints = CheckpointWriter(folder, job.config.keep_checkpoints)

    def log(self, line: dict[str, Any], is_due: bool) -> None:
        """Write a step to the log, to the trackers where due; raises what went wrong in the background."""
        self._log.write(line)
        if is_due or "validation_loss" in line:
            self._trackers.log(line)
        self.checkpoints.check()

    def save(self, checkpoint: Checkpoint) -> None:
        """Begin to write a checkpoint; the log's lines up to its step are stored before it is."""
        self._log.store()
        self.checkpoints.save(checkpoint)

    def __enter__(self) -> Self:
        self.checkpoints.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
        self._trackers.close()
        self.checkpoints.__exit__(kind, error, trace)


class Pace:
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
