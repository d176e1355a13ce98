"""What every stage of a run can reach: configuration, lake, ledger, console and the Spark session."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession

from conf import RunConfig
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, Ledger, RunRecord, TableInfo, read_table
from pipelines.run.console import Console
from pipelines.run.snapshots import take_snapshot
from pipelines.session import open_session
from training.data.snapshot import Snapshot


@dataclass
class Context:
    """One invocation of ringlake on one lake.

    Attributes:
        config: The whole configuration.
        lake: Where everything lies.
        console: Where progress goes.
        run_file: The run file as the user named it, for messages and the report.
        overrides: The `--set` texts and flags, likewise.
    """

    config: RunConfig
    lake: Lake
    console: Console
    run_file: str = ""
    overrides: tuple[str, ...] = ()
    _spark: SparkSession | None = field(default=None, repr=False)

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
            self.console.say(f"starting Spark on {self.config.spark.master}")
            self._spark = open_session(self.config.spark, self.config.name, self.lake.spark_log)
        return self._spark

    def input(self, name: str) -> DataFrame:
        """A table at its current version, pinned; InputError if it is missing or has no rows."""
        info = self.filled(name)
        return read_table(self.spark, self.lake, name, info.version)

    def filled(self, name: str) -> TableInfo:
        """What the log says of a table that must have rows."""
        info = self.catalog.info(name)
        if not info.rows:
            place = self.lake.location
            raise InputError(
                f"table {name!r} (version {info.version}) of the lake {place} has no rows, so "
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
        return take_snapshot(self.lake, split)

    def mixed(self) -> list[Snapshot]:
        """The training sequences of the lakes of `train.mixture`, in their order."""
        return [
            take_snapshot(Lake.at(other.lake), "train", other.version)
            for other in self.config.train.mixture.lakes
        ]
