"""What happens in a run, as it happens: told to whoever writes it down elsewhere."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from conf.urls import without_secrets
from pipelines.lake import RunRecord

State = Literal["running", "succeeded", "failed", "interrupted"]
StageState = Literal["not reached", "running", "succeeded", "up to date", "failed", "interrupted"]


@dataclass
class StageStory:
    """A stage of a run.

    Attributes:
        name: Its name.
        reads: Tables that it reads, with their versions as it found them; empty where it could not look.
        state: How far it is. `up to date`: an earlier run made what is there.
        record: The run of the stage as the ledger has it, once it has one.
        started_at: When it began; None before that, and where it is up to date.
        seconds: How long it took in this run.
        error: Why it failed, as the user is told; None if it did not.
    """

    name: str
    reads: dict[str, int] = field(default_factory=dict)
    state: StageState = "not reached"
    record: RunRecord | None = None
    started_at: datetime | None = None
    seconds: float = 0.0
    error: str | None = None


@dataclass
class RunStory:
    """A run, from its first stage to its end.

    Attributes:
        name: Name of the run file.
        lake: Where the lake lies.
        stages: Its stages in order.
        run_id: Names this run.
        started_at: When it began.
        state: How far it is.
        seconds: How long it took, once it has ended.
        error: Why it failed.
    """

    name: str
    lake: str
    stages: list[StageStory]
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: State = "running"
    seconds: float = 0.0
    error: str | None = None


class Watcher(Protocol):
    """Is told of a run; what it raises when it is told is a line for the user and nothing more."""

    def require(self) -> None:
        """RinglakeError if it cannot write; asked of all before anything is written or run."""

    def run_begins(self, run: RunStory) -> None:
        """The run begins."""

    def stage_begins(self, run: RunStory, stage: StageStory) -> None:
        """A stage begins."""

    def stage_ends(self, run: RunStory, stage: StageStory) -> None:
        """A stage has succeeded, failed, been interrupted, or is up to date."""

    def run_ends(self, run: RunStory) -> None:
        """The run has ended, whatever its end."""


class Teller:
    """Tells watchers of one run.

    Args:
        run: The run.
        watchers: Who is told.
        say: Where a watcher's own failure goes.
    """

    def __init__(self, run: RunStory, watchers: Sequence[Watcher], say: Callable[[str], None]) -> None:
        self.run = run
        self._watchers = watchers
        self._say = say
        self._stages = {stage.name: stage for stage in run.stages}

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Of the run's beginning and end; the errors of what is within go on."""
        began = time.monotonic()
        for watcher in self._watchers:
            watcher.require()
        self._tell(lambda watcher: watcher.run_begins(self.run))
        try:
            yield
        except BaseException as error:
            self.run.state, self.run.error = _ending(error)
            raise
        else:
            self.run.state = "succeeded"
        finally:
            self.run.seconds = time.monotonic() - began
            self._tell(lambda watcher: watcher.run_ends(self.run))

    def is_up_to_date(self, name: str, record: RunRecord) -> None:
        """A stage has nothing to do."""
        stage = self._stages[name]
        stage.state, stage.record, stage.reads = "up to date", record, dict(record.inputs)
        self._tell(lambda watcher: watcher.stage_ends(self.run, stage))

    @contextmanager
    def telling_of(self, name: str, reads: dict[str, int]) -> Iterator[StageStory]:
        """Of a stage's beginning and end; whoever runs it gives the story its record."""
        stage, began = self._stages[name], time.monotonic()
        stage.state, stage.reads, stage.started_at = "running", reads, datetime.now(UTC)
        self._tell(lambda watcher: watcher.stage_begins(self.run, stage))
        try:
            yield stage
        except BaseException as error:
            stage.state, stage.error = _ending(error)
            raise
        else:
            stage.state = "succeeded"
        finally:
            stage.seconds = time.monotonic() - began
            self._tell(lambda watcher: watcher.stage_ends(self.run, stage))

    def _tell(self, of: Callable[[Watcher], None]) -> None:
        for watcher in self._watchers:
            try:
                of(watcher)
            except Exception as error:  # noqa: BLE001 - what is written beside a run must not end it
                self._say(f"note: {type(watcher).__name__} could not write: {without_secrets(str(error))}")


def _ending(error: BaseException) -> tuple[Literal["failed", "interrupted"], str | None]:
    if isinstance(error, Exception):
        return "failed", without_secrets(str(error))
    return "interrupted", None
