"""A batch that is made becomes part of the lake: each table gets its rows in one commit, however often asked.

The batch is a lake of its own that nothing changes any more, so that a publication that was cut short goes on
with the same rows; each commit carries the number of the batch, and is left out where it is there already.
Rows of replaced and deleted files go, and earlier survivors for which another document stays now become
duplicates. Sequences are only ever added: what was packed stays what it was for whoever trains on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.pack import PackConfig
from pipelines.bindings.pack import unpacked
from pipelines.bindings.tokenizers import tokenizer_files, tokenizer_folder
from pipelines.daily.plan import DayPlan
from pipelines.dedup.history import in_force
from pipelines.dedup.survivors import EXACT, URL, connecting
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, Ledger, add_once, read_table, remove_once
from pipelines.pack.stage import write_settings
from pipelines.run.context import Context
from pipelines.run.version import code_version
from pipelines.tokenize.stage import WRITE_SETTINGS
from schemas import TABLES
from schemas.batches import BATCHES
from schemas.packed import PACKED
from schemas.signatures import SIGNATURES
from schemas.sources import SOURCES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.stage_output import Say

BY_SOURCE = ("documents", "quarantine", "clean", "rejected")
"""Tables whose rows of a replaced or deleted file go by its source."""

BY_DOCUMENT = ("corpus", "duplicates", "contaminated", "tokens", "refused")
"""Tables whose rows go by document: also what is compared anew, or is a duplicate now."""

STAGES = ("ingest", "clean", "dedup", "tokenize", "pack")
"""Stages of a batch whose runs the ledger of the lake gets too."""


@dataclass(frozen=True)
class Publication:
    """A batch and the lake that it becomes part of.

    Attributes:
        lake: The lake.
        batch: The run of the batch; its lake is the batch's own.
        plan: What it read.
        made_with: Its configuration, see `consent.noted`.
        say: Prints a line for people.
    """

    lake: Lake
    batch: Context
    plan: DayPlan
    made_with: Mapping[str, str]
    say: Say

    def publish(self) -> None:
        """Adds the batch to the lake, as far as that is not done yet.

        Raises:
            InputError: A table of the lake has other columns than this release writes.
        """
        self._check_columns()
        self._copy_tokenizer()
        self._add(SOURCES.name, self._sources())
        for name in (*BY_SOURCE, *BY_DOCUMENT):
            self._remove(name)
            rows = self._rows(name)
            if rows is not None:
                self._add(name, rows, WRITE_SETTINGS if name == "tokens" else None)
        sequences = self._rows("sequences")
        if sequences is not None:
            self._add("sequences", *self._in_files(sequences))
            self._add(PACKED.name, self._packed())
        catalog = Catalog(self.lake)
        versions = {name: version for name in _ALL if (version := catalog.version(name)) is not None}
        self._record(versions)
        self._add(BATCHES.name, self._summary(versions))

    @property
    def _own(self) -> Catalog:
        return self.batch.catalog

    def _rows(self, name: str) -> DataFrame | None:
        """The batch's rows of a table; None if there is nothing to add, not even the table itself."""
        rows: DataFrame | None = None
        if self._own.exists(name) and (self._own.info(name).rows or not Catalog(self.lake).exists(name)):
            rows = read_table(self.batch.spark, self.batch.lake, name)
        if name == "duplicates" and (moved := self._moved()) is not None:
            rows = moved if rows is None else rows.unionByName(moved)
        return rows

    def _metadata(self, name: str) -> dict[str, Any]:
        """What is noted with a commit: what the batch's own has, or, where it has none, the lake's."""
        catalog = Catalog(self.lake)
        found: dict[str, Any] = {}
        if self._own.exists(name):
            found = self._own.info(name).metadata
            own = set(found.get("inputs", {}))
            inputs = {table: catalog.version(table) for table in sorted(own) if table in _ALL}
            found = {**found, "inputs": {k: v for k, v in inputs.items() if v is not None}}
        elif catalog.exists(name):
            found = catalog.info(name).metadata
        return {**found, "batch": self.plan.name, "batch_number": self.plan.number}

    def _add(self, name: str, frame: DataFrame, settings: Mapping[str, str] | None = None) -> int:
        self.batch.spark.sparkContext.setJobDescription(f"batch {self.plan.name}: add to {name}")
        version = add_once(
            self.batch.spark, self.lake, TABLES[name], frame, self._metadata(name), self.plan.number, settings
        )
        self.say(f"    {name}: version {version}")
        return version

    def _remove(self, name: str) -> None:
        values = self._away() if name in BY_SOURCE else self._gone()
        if values is None:
            return
        self.batch.spark.sparkContext.setJobDescription(f"batch {self.plan.name}: remove from {name}")
        remove_once(self.batch.spark, self.lake, TABLES[name], values, self._metadata(name), self.plan.number)

    def _away(self) -> DataFrame | None:
        """Sources whose rows go."""
        if not self.plan.away:
            return None
        return self.batch.spark.createDataFrame([(source,) for source in self.plan.away], "source string")

    def _gone(self) -> DataFrame | None:
        """Documents whose rows go, or are made anew by the batch."""
        found: DataFrame | None = None
        for name in ("withdrawn", "superseded"):
            if self._own.rows(name):
                rows = read_table(self.batch.spark, self.batch.lake, name).select("doc_id")
                found = rows if found is None else found.union(rows)
        return None if found is None else found.distinct()

    def _moved(self) -> DataFrame | None:
        """The rows of `duplicates` for earlier survivors that are duplicates now."""
        if not self._own.rows("superseded"):
            return None
        spark, config = self.batch.spark, self.batch.config.dedup
        assert config.history is not None
        superseded = read_table(spark, self.batch.lake, "superseded").select(
            "doc_id", "source", "kept_doc_id", "num_bytes"
        )
        signed = in_force(read_table(spark, Lake.at(config.history), SIGNATURES.name)).select(
            "doc_id", "content", "address"
        )
        kept = signed.toDF("kept_doc_id", "kept_content", "kept_address")
        known = read_table(spark, self.lake, "clean").select("doc_id", "source_id")
        same_address = F.coalesce(F.col("address") == F.col("kept_address"), F.lit(False))
        same_text = F.col("content") == F.col("kept_content")
        return (
            signed.join(F.broadcast(superseded), "doc_id")
            .join(kept, "kept_doc_id")
            .join(known, "doc_id")
            .select(
                *("doc_id", "source", "source_id", "kept_doc_id"),
                F.lit(None).cast("string").alias("kept_source_id"),
                F.when(same_address, URL)
                .when(same_text, EXACT)
                .otherwise(connecting(config))
                .alias("method"),
                F.when(same_text, F.lit(1.0)).alias("similarity"),
                "num_bytes",
            )
        )

    def _sources(self) -> DataFrame:
        """The rows of `sources`: what the batch read, with why, and what is gone."""
        spark, plan = self.batch.spark, self.plan
        why = spark.createDataFrame(
            [(item.file.source, item.change, item.checksum, item.file.version) for item in plan.changed],
            "source string, change string, checksum string, version string",
        )
        none = F.array()
        gone = spark.createDataFrame([(source,) for source in plan.deleted], "source string").select(
            "source",
            F.lit("unknown").alias("format"),
            F.lit("none").alias("compression"),
            *(F.lit(0).cast("long").alias(name) for name in _COUNTS),
            F.lit("deleted").alias("state"),
            F.map_from_arrays(none.cast("array<string>"), none.cast("array<long>")).alias("skipped"),
            F.lit("deleted").alias("change"),
            F.lit(None).cast("string").alias("checksum"),
            F.lit(None).cast("string").alias("version"),
        )
        rows = gone
        if plan.changed:
            read = read_table(spark, self.batch.lake, SOURCES.name).drop(
                "batch", "change", "checksum", "version"
            )
            rows = read.join(F.broadcast(why), "source").unionByName(gone)
        return rows.withColumn("batch", F.lit(plan.name))

    def _in_files(self, sequences: DataFrame) -> tuple[DataFrame, dict[str, str]]:
        """The sequences in the files that packing made of them, and how those are written."""
        noted = self.batch.last("pack").details
        sizes = {name: noted[name] for name in ("rows_per_group", "rows_per_file")}
        config: PackConfig = self.batch.config.pack.model_copy(update=sizes)
        file, first = F.lit(0).cast("long"), 0
        for split, count in sorted(noted["sequences_by_split"].items()):
            begins = self.batch.batch.first_ids.get(split, 0) if self.batch.batch else 0
            number = F.floor((F.col("sequence_id") - begins) / config.rows_per_file) + first
            file = F.when(F.col("split") == split, number).otherwise(file)
            first += -(-count // config.rows_per_file)
        placed = sequences.withColumn("file", file.cast("int")).repartitionById(first, F.col("file"))
        return placed.sortWithinPartitions("sequence_id").drop("file"), write_settings(config)

    def _packed(self) -> DataFrame:
        """The documents that the batch has packed."""
        tokens = unpacked(read_table(self.batch.spark, self.batch.lake, "tokens"), self.batch)
        return tokens.select("doc_id", F.lit(self.plan.name).alias("batch"))

    def _copy_tokenizer(self) -> None:
        """The lake keeps the tokenizer that the first batch with text has trained."""
        if not self._own.exists("tokens"):
            return
        sha256 = str(self._own.info("tokens").metadata["tokenizer_hash"])
        kept, made = tokenizer_folder(self.lake, sha256), tokenizer_folder(self.batch.lake, sha256)
        if tokenizer_files(kept) != tokenizer_files(made):
            with made.as_local() as place:
                kept.replace_by(place)

    def _check_columns(self) -> None:
        """InputError where a table of the lake was made by a release with other columns."""
        catalog = Catalog(self.lake)
        for name in _ALL:
            if not catalog.exists(name):
                continue
            found = set(catalog.columns(name))
            wanted = set(TABLES[name].column_names)
            if found != wanted:
                raise InputError(
                    f"table {name!r} of the lake {self.lake.location} has the columns {sorted(found)}, and "
                    f"this release writes {sorted(wanted)}: add batches with the release that made it, or "
                    "begin another lake"
                )

    def _record(self, versions: Mapping[str, int]) -> None:
        """The runs of the batch's stages in the ledger of the lake, each once."""
        ledger = Ledger(self.lake)
        there = {record.run_id for record in ledger.records()}
        for stage in STAGES:
            record = self.batch.ledger.latest(stage)
            if record is None or record.run_id in there:
                continue
            ledger.append(
                replace(
                    record,
                    inputs={name: versions[name] for name in record.inputs if name in versions},
                    outputs={name: versions[name] for name in record.outputs if name in versions},
                    details={**record.details, "daily_batch": self.plan.name},
                )
            )

    def _summary(self, versions: Mapping[str, int]) -> DataFrame:
        plan = self.plan
        withdraw = self.batch.ledger.latest("withdraw")
        taken = {} if withdraw is None else withdraw.details
        packed = self.batch.ledger.latest("pack")
        row = {
            "number": plan.number,
            "batch": plan.name,
            "day": plan.day,
            "planned_at": datetime.fromisoformat(plan.planned_at),
            **self.made_with,
            "code_version": code_version(),
            **{change: plan.count(change) for change in ("new", "late", "replaced", "deleted")},
            "documents": self._own.rows("documents"),
            "kept": self._own.rows("corpus"),
            "withdrawn": taken.get("withdrawn", 0),
            "reopened": taken.get("reopened", 0),
            "superseded": self._own.rows("superseded"),
            "sequences": {} if packed is None else packed.details["sequences_by_split"],
            "versions": dict(versions),
        }
        ordered = tuple(row[name] for name in BATCHES.column_names)
        return self.batch.spark.createDataFrame([ordered], BATCHES.spark_schema())


_COUNTS = ("num_bytes", "records", "kept", "quarantined", "repaired")

_ALL = (SOURCES.name, *BY_SOURCE, *BY_DOCUMENT, "sequences", PACKED.name)
"""Tables that batches are added to."""
