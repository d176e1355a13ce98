"""`HorovodRunner`: the call that users of the Databricks ML runtime know, on the open launcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Unpack

from training.errors import NotEnoughSlotsError, TrainingError
from training.launch.events import print_safely
from training.launch.launcher import launch, launch_local
from training.launch.options import LaunchOptions, Names, OptionChanges, options_of
from training.launch.slots import wait_for_slots

NAMES = Names(num_ranks="np", prefix="")

VERBOSITIES = ("all", "log_callback_only")


class HorovodRunner:
    """Runs a Horovod function on the cluster, or on the driver to try it out.

    Args:
        np: Number of ranks. Above 0: that many barrier tasks, in one task slot each. Below 0: that many
            processes on the driver, without a Spark job. 0: all task slots of the active executors; rather
            give the number, for slots come and go.
        driver_log_verbosity: 'log_callback_only' (the default): only what ranks hand to `log_to_driver` is
            shown on the driver, the rest is in the executors' logs. 'all': all output of all ranks, each line
            with its rank.
        spark: The SparkSession; None: the active one. Not needed where np is below 0.
        options: How the ranks run, such as `LaunchOptions(max_restarts=2)`; its `stream_output`,
            `description` and `names` are the runner's own.
        changes: Single options as keywords, such as `env={"NCCL_DEBUG": "INFO"}`.

    Raises:
        TrainingError: An argument is wrong.

    Example:
        >>> HorovodRunner(np=2, driver_log_verbosity="all").run(main, epochs=3)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        np: int,
        driver_log_verbosity: str = "log_callback_only",
        spark: Any = None,
        options: LaunchOptions | None = None,
        **changes: Unpack[OptionChanges],
    ) -> None:
        if isinstance(np, bool) or not isinstance(np, int):
            raise TrainingError(f"np must be a whole number, not {np!r}")
        if driver_log_verbosity not in VERBOSITIES:
            raise TrainingError(
                f"driver_log_verbosity must be 'all' or 'log_callback_only', not {driver_log_verbosity!r}"
            )
        self._np = np
        self._spark = spark
        self._options = replace(
            options_of(options, changes),
            stream_output=driver_log_verbosity == "all",
            description="HorovodRunner",
            names=NAMES,
        )

    def run(self, main: Callable[..., Any], **kwargs: Any) -> Any:
        """Run `main(**kwargs)` on every rank and wait for all.

        Args:
            main: The training function. It and its arguments are pickled with cloudpickle: change global
                state and make large objects inside it.
            kwargs: Its keyword arguments.

        Returns:
            What rank 0 returned.

        Raises:
            TrainingError: As `training.launch.launch` does.
        """
        if self._np < 0:
            return launch_local(main, -self._np, kwargs=kwargs, options=self._options)[0]
        spark = self._session()
        # Executors that are still registering get the time that a launch gives them.
        num_ranks = self._np or wait_for_slots(spark, 1, print_safely)
        if num_ranks == 0:
            raise NotEnoughSlotsError(
                f"np = 0 takes all slots, but {spark.sparkContext.master} has none; give Spark executors, or "
                f"try the function with np=-1 on this machine"
            )
        return launch(main, num_ranks, spark=spark, kwargs=kwargs, options=self._options)[0]

    def _session(self) -> Any:
        if self._spark is not None:
            return self._spark
        from pyspark.sql import SparkSession

        active = SparkSession.getActiveSession()
        if active is None:
            raise TrainingError(
                f"there is no active SparkSession for np={self._np}; make one first "
                f"(SparkSession.builder.getOrCreate()), or try the function with np=-1 on this machine"
            )
        return active
