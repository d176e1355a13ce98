"""What every stage of a run can reach: configuration, lake, ledger, console and the Spark session."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf import RunConfig
from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.granted import shortfalls
from pipelines.lake import Catalog, Lake, Ledger, RunRecord, TableInfo
from pipelines.lake.allowed import check_schema
from pipelines.run.shortage import SparkFacts
from pipelines.run.snapshots import take_snapshot
from pipelines.run.story import RunStory, StageStory, Teller, Watcher
from pipelines.session import facts_of, fit_shuffles, jvm_status, open_session
from ringlake.base.named import SCHEME
from training.data.snapshot import Snapshot


@dataclass(frozen=True)
class DayBatch:
    """What the stages of a daily batch, which lies in a lake of its own, go by besides their tables.

    Attributes:
        files: The `InputFile`s that it reads.
        first_ids: Sequences of each split that the batches before it have.
        added_to: The lake of all batches.
        packed: Documents (doc_id) that those sequences hold already; None: none of this batch.
    """

    files: list[Any]
    first_ids: Mapping[str, int]
    added_to: Lake
    packed: DataFrame | None = None


@dataclass
class Context:
    """One invocation of ringlake on one lake.

    Attributes:
        config: The whole configuration.
        lake: Where everything lies.
        console: Where progress goes.
        run_file: The run file as the user named it, for messages and the report.
        overrides: The `--set` texts and flags, likewise.
        forced: Whether stages are run that are up to date; training then does not take what it finished.
        watchers: Who is told of the run as it goes on.
        batch: What is known of the daily batch that is run; None: no batch is.
        pinned: Versions at which tables are read; of the others it is the current one.
        spark_facts: What is known of the session, once there is one.
        start_seconds: What its start took, 0 before that.
    """

    config: RunConfig
    lake: Lake
    console: Console
    run_file: str = ""
    overrides: tuple[str, ...] = ()
    forced: bool = False
    watchers: Sequence[Watcher] = ()
    batch: DayBatch | None = None
    pinned: Mapping[str, int] = field(default_factory=dict)
    spark_facts: SparkFacts = field(default_factory=SparkFacts, repr=False)
    start_seconds: float = 0.0
    _spark: SparkSession | None = field(default=None, repr=False)
    _text_bytes: int = 0

    def teller(self, stages: Sequence[str]) -> Teller:
        """Tells the watchers of a run of these stages."""
        story = RunStory(self.config.name, self.lake.location, [StageStory(name) for name in stages])
        return Teller(story, self.watchers, self.console.say)

    @property
    def catalog(self) -> Catalog:
        """What the tables' logs say."""
        return Catalog(self.lake)

    @property
    def ledger(self) -> Ledger:
        """The runs so far."""
        return Ledger(self.lake)

    @property
    def spark(self) -> SparkSession:
        """The session, started at the first use: a run with nothing to do never starts it."""
        if self._spark is None:
            began = time.monotonic()
            is_there = SparkSession.getActiveSession() is not None
            starts = f"starting Spark on {self.config.spark.master}"
            self.console.say("using the Spark session that is there" if is_there else starts)
            self._spark = open_session(
                self.config.spark, self.config.name, self.lake.spark_log, self._spark_places()
            )
            self.spark_facts = facts_of(self._spark, self.lake.spark_log)
            fit_shuffles(self._spark, self.config.spark, self._text_bytes)
            for line in shortfalls(self._spark):
                self.console.say(f"note: {line}")
            self.start_seconds = round(time.monotonic() - began, 3)
        return self._spark

    def _spark_places(self) -> list[str]:
        """What Spark reads and writes; other input files are read by the Python workers."""
        ingest = self.config.ingest
        tables = ingest.inputs if ingest.format == "delta" else ()
        return [self.lake.root.location, *(place for place in tables if not place.startswith(SCHEME))]

    def open_catalog(self) -> None:
        """Starts the session of a lake whose tables have names: they can be reached through Spark only.

        Raises:
            EnvironmentProblem: The session or the schema cannot be used.
        """
        if self.lake.names is not None:
            check_schema(self.spark, self.lake.names)

    @property
    def started(self) -> SparkSession | None:
        """The session if there is one, which somebody else may have started before."""
        return self._spark or SparkSession.getActiveSession()

    def use_session_of(self, other: Context) -> None:
        """Takes the session of another context, which starts it if nobody has."""
        self._spark, self.spark_facts = other.spark, other.spark_facts

    def fit(self, text_bytes: int) -> None:
        """Sizes the shuffles of the stage at hand by the bytes of text that it reads, about."""
        self._text_bytes = text_bytes
        if self._spark is not None:
            fit_shuffles(self._spark, self.config.spark, text_bytes)

    @property
    def jvm_status(self) -> int | None:
        """Exit status of the driver's JVM that this process started; None while it lives."""
        return None if self._spark is None else jvm_status(self._spark)

    def must_have_rows(self, info: TableInfo) -> TableInfo:
        """A table as the log has it; InputError if it has no rows."""
        if not info.rows:
            place = self.lake.location
            raise InputError(
                f"table {info.name!r} (version {info.version}) of the lake {place} has no rows, so "
                f"there is nothing to go on with; see what became of them: ringlake status {place}"
            )
        return info

    def last(self, stage: str) -> RunRecord:
        """The newest successful run of a stage; InputError if it has not run."""
        record = self.ledger.latest(stage)
        if record is None:
            raise InputError(
                f"stage {stage!r} has not run in the lake {self.lake.location} yet; "
                f"run it first: ringlake {stage} --lake {self.lake.location}"
            )
        return record

    def snapshot(self, split: str) -> Snapshot:
        """The active files of one split of the current `sequences`, with what made the tokens."""
        return take_snapshot(self.lake, split, self.version_of("sequences"))

    def version_of(self, table: str) -> int | None:
        """The version at which a table is read; None: the current one."""
        own = self.config.train.mixture.version if table == "sequences" else None
        return self.pinned.get(table, own)

    def mixed(self) -> list[Snapshot]:
        """The training sequences of the lakes of `train.mixture`, in their order."""
        return [
            take_snapshot(Lake.at(other.lake), "train", other.version, other.since)
            for other in self.config.train.mixture.lakes
        ]
