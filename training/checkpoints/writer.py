"""Writes checkpoints while training goes on."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from ringlake.base.storage import Folder
from training.checkpoints.checkpoint import Checkpoint, save_checkpoint
from training.errors import TrainingError


class CheckpointWriter:
    """A thread that writes one checkpoint at a time; leaving the context waits for the last one.

    The thread shares no memory with training (`training.checkpoints.state.capture` copies). A process that
    dies while it writes leaves the earlier checkpoints as they were (see `save_checkpoint`).

    Args:
        folder: Folder of the checkpoints.
        keep: Newest checkpoints that are kept, beside the best one.

    Example:
        >>> with CheckpointWriter(folder, keep=2) as writer:
        ...     writer.save(checkpoint)
    """

    def __init__(self, folder: Folder, keep: int) -> None:
        self._folder, self._keep = folder, keep
        self._thread: threading.Thread | None = None
        self._failure: tuple[int, Exception] | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Begin to write a checkpoint; waits first while an earlier one is still being written.

        Raises:
            TrainingError: An earlier one could not be written.
        """
        self.finish()
        self._thread = threading.Thread(
            target=self._write, args=(checkpoint,), name=f"checkpoint-{checkpoint.step}", daemon=True
        )
        self._thread.start()

    def check(self) -> None:
        """Raise the error of a checkpoint that could not be written; does not wait.

        Raises:
            TrainingError: A checkpoint could not be written.
        """
        if self._failure is not None:
            (step, error), self._failure = self._failure, None
            raise TrainingError(
                f"the checkpoint of step {step} could not be written to {self._folder.location}: "
                f"{type(error).__name__}: {error}; earlier checkpoints are whole, the same command goes on "
                f"from the newest"
            ) from error

    def finish(self) -> None:
        """Wait until the checkpoint that is being written is on the disk.

        Raises:
            TrainingError: It could not be written.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        except TrainingError as failure:
            if error is None:
                raise
            error.add_note(str(failure))

    def _write(self, checkpoint: Checkpoint) -> None:
        try:
            save_checkpoint(self._folder, checkpoint, self._keep)
        except Exception as error:  # noqa: BLE001 - handed to the training thread, see `check`
            self._failure = (checkpoint.step, error)
