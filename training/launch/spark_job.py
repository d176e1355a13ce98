"""A Spark job in a thread of its own, so that the caller's thread is free for Ctrl-C.

PySpark's own handler asks the JVM over the caller's connection; were that connection busy with the job, it
would take the job's answer for its own, and the interrupt would be lost.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

CANCEL_SECONDS = 10.0
"""How long a cancelled job may take to come back."""


class SparkJob:
    """It starts at once, in a thread that inherits the caller's properties (pool, tags), not its job group.

    Args:
        spark: The session.
        action: Makes the result from the SparkContext.
        description: What the Spark UI shows.

    Attributes:
        result: What the action returned; None before, or if it raised.
        error: What it raised.
    """

    def __init__(self, spark: Any, action: Callable[[Any], Any], description: str) -> None:
        from pyspark import InheritableThread

        self.result: Any = None
        self.error: Exception | None = None
        self._context = spark.sparkContext
        self._action = action
        self._group, self._description = f"ringlake-{uuid.uuid4().hex}", description
        self._finished = threading.Event()
        InheritableThread(target=self._run, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has come."""
        return self._finished.wait(seconds)

    def finish(self, seconds: float) -> None:
        """Give it some seconds to end, then cancel it."""
        if not self._finished.wait(seconds):
            self._context.cancelJobGroup(self._group)
            self._finished.wait(CANCEL_SECONDS)

    def _run(self) -> None:
        try:
            self._context.setJobGroup(self._group, self._description)
            self.result = self._action(self._context)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            self.error = error
        finally:
            self._finished.set()


def first_lines(error: Exception) -> str:
    """What Spark says of an error, without the frames of the JVM."""
    java = getattr(error, "java_exception", None)
    text = str(java.getMessage()) if java is not None else str(error)
    lines = [line for line in text.splitlines() if not line.startswith("\tat ")]
    return "\n".join(lines[:40])
