"""What training needs of the session that a run has already: looked for before a run spends its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import SparkSession

from pipelines.errors import EnvironmentProblem
from pipelines.lake.allowed import check_session
from pipelines.run.context import Context
from pipelines.stages import Stage
from training.errors import NotEnoughSlotsError
from training.launch.slots import check_slots

_TRAIN = "train"


def check_allowed(context: Context, stages: Sequence[Stage], is_done: Callable[[Stage], bool]) -> None:
    """Refuses a run whose training would find no slots, hours later perhaps.

    Only a session that is there is asked: of a notebook, of a cluster's task, or of a lake with names. To
    start one for this would take longer than what a run with nothing to do takes.

    Args:
        context: The run.
        stages: What is to run.
        is_done: Whether a stage has nothing to do; asked only where something is wrong.

    Raises:
        EnvironmentProblem: The session has no SparkContext, or training cannot have its ranks on it.
    """
    session = context.started or SparkSession.getActiveSession()
    if session is None:
        return
    check_session(session)
    training = next((stage for stage in stages if stage.name == _TRAIN), None)
    if training is None:
        return
    config = context.config.train
    least = 1 if config.num_ranks == "auto" else config.num_ranks
    try:
        if config.elastic is None:
            check_slots(session, least, context.console.say)
        else:
            check_slots(session, config.elastic.min, context.console.say, "train.elastic.min")
    except NotEnoughSlotsError as error:
        if not is_done(training):
            raise EnvironmentProblem(f"train: {error}") from error
