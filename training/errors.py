"""Errors of the training side; each message names what failed, the values involved and the remedy."""


class TrainingError(RuntimeError):
    """Training, evaluation or generation cannot go on."""


class NotEnoughSlotsError(TrainingError):
    """More ranks were asked for than the cluster has slots."""


class RankFailedError(TrainingError):
    """A rank ended with an error; the message names rank and host and carries its traceback."""


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
