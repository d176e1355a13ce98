"""Errors of the training side; each message names what failed, the values involved and the remedy."""


class TrainingError(RuntimeError):
    """Training, evaluation or generation cannot go on."""


class NotEnoughSlotsError(TrainingError):
    """More ranks were asked for than the cluster has slots."""


class RankFailedError(TrainingError):
    """A rank ended with an error; the message names rank and host and carries its traceback."""


class StageError(TrainingError):
    """Spark could not run the barrier stage, and no rank says why."""


class DataError(TrainingError):
    """The sequences or the model do not fit what was asked (changed table, other tokenizer, no rows)."""


class PeerLostError(TrainingError):
    """Another process of the training is gone: an effect of what happened there, not a cause."""
