"""Ctrl-C while the driver waits for an answer of the JVM: the jobs end, and so does the command."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

from pyspark.sql import SparkSession

CANCEL_SECONDS = 10.0
"""How long the JVM may take to hear of it; a driver that is stuck must not keep the user waiting."""


_happened = threading.Event()


def forget_interrupts() -> None:
    """Counts interrupts anew: what follows has not been interrupted yet."""
    _happened.clear()


def was_interrupted() -> bool:
    """Whether SIGINT came since `forget_interrupts`.

    The exception alone does not tell: clean-up that asks the JVM while it travels can raise another one in
    its place, and one that is raised inside a finalizer is lost.
    """
    return _happened.is_set()


def end_jobs_on_interrupt(spark: SparkSession) -> None:
    """Makes SIGINT cancel all jobs of the session and raise KeyboardInterrupt in the main thread.

    PySpark's own handler asks the JVM over the connection on which the main thread waits for the running
    job, so it takes that job's error for its answer: the interrupt is lost and a failed job is reported
    instead. Here another thread, with a connection of its own, cancels the jobs, and the main thread gets
    a new connection, for on the old one an answer is still on its way.

    Outside the main thread, where Python sets no handlers, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    context = spark.sparkContext
    gateway = context._gateway
    assert gateway is not None

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        _happened.set()
        # A second Ctrl-C ends the waiting at once.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cancel = threading.Thread(target=context.cancelAllJobs, daemon=True)
        cancel.start()
        try:
            cancel.join(CANCEL_SECONDS)
        finally:
            signal.signal(signal.SIGINT, interrupt)
        gateway._gateway_client.thread_connection.connection = None
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
