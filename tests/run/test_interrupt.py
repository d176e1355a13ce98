"""An interrupt ends a stage as one, whatever its clean-up raises on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.run import RunConfig
from pipelines.console.console import Console
from pipelines.errors import StageFailedError
from pipelines.interrupt import end_jobs_on_interrupt
from pipelines.lake import Lake
from pipelines.run.binding import Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.stages import Stage


def stage(execute: Any) -> Stage:
    return Stage(
        name="clean", summary="", purpose="be interrupted", binding=Binding.of_tables(execute), code=()
    )


def interrupted_with_a_failing_clean_up(_given: Given[None]) -> Made:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        raise ConnectionError("the answer from the JVM is empty")


def fails(_given: Given[None]) -> Made:
    raise ConnectionError("the answer from the JVM is empty")


def test_an_error_of_the_clean_up_does_not_hide_the_interrupt(spark: SparkSession, tmp_path: Path) -> None:
    context = Context(RunConfig(), Lake.at(tmp_path), Console())
    before = signal.getsignal(signal.SIGINT)
    end_jobs_on_interrupt(spark)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_stages(context, [stage(interrupted_with_a_failing_clean_up)])
        assert context.ledger.records() == []
        with pytest.raises(StageFailedError, match="the answer from the JVM is empty"):
            run_stages(context, [stage(fails)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert spark.range(3).count() == 3
