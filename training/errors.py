"""Errors of the training side; each message names what failed, the values involved and the remedy."""

from __future__ import annotations

from collections.abc import Sequence

from training.failures import RankFailure, explain, headline, root_cause


class TrainingError(RuntimeError):
    """Training, evaluation or generation cannot go on."""


class NotEnoughSlotsError(TrainingError):
    """More ranks were asked for than the cluster has slots."""


class RankFailedError(TrainingError):
    """A rank ended with an error; the message names rank and host and carries its traceback.

    Attributes:
        failures: How ranks failed, in the order in which it was reported; at least one.
        num_ranks: Ranks of the launch, parameter servers included.
        notes: Lines at the end of the message: what else is known, such as earlier attempts.
        cause: The failure that explains the others: a cause before an effect, then the first one reported.
        headline: The cause in one line, without a traceback.
    """

    def __init__(self, failures: Sequence[RankFailure], num_ranks: int, notes: Sequence[str] = ()) -> None:
        self.failures, self.num_ranks, self.notes = tuple(failures), num_ranks, tuple(notes)
        # The arguments are all of it, so that it can be pickled.
        super().__init__(self.failures, self.num_ranks, self.notes)

    def __str__(self) -> str:
        return "\n".join([explain(self.failures, self.num_ranks), *self.notes])

    @property
    def cause(self) -> RankFailure:
        """The failure that explains the others: a cause before an effect, then the first one reported."""
        return root_cause(self.failures)

    @property
    def headline(self) -> str:
        """The cause in one line, without a traceback."""
        return headline(self.cause, self.num_ranks)

    def noting(self, *lines: str) -> RankFailedError:
        """The same failure with further lines at the end of its message."""
        return RankFailedError(self.failures, self.num_ranks, (*self.notes, *lines))


class StageError(TrainingError):
    """Spark could not run the barrier stage, and no rank says why."""


class WorkerPythonError(TrainingError):
    """The Python of Spark's tasks lacks what the driver's has, or has other versions of it."""


class CallbackError(TrainingError):
    """A function of the caller that takes the ranks' output or events raised; the cause is what it raised."""


class DataError(TrainingError):
    """The sequences or the model do not fit what was asked (changed table, other tokenizer, no rows)."""


class PeerLostError(TrainingError):
    """Another process of the training is gone: an effect of what happened there, not a cause."""
