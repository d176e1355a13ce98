"""The configuration tree: one frozen model a section, validated at load, unknown keys refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.corpus import CardConfig, DecontaminateConfig, MixConfig, RepeatsConfig
from conf.data import CleanConfig, DedupConfig, IngestConfig, PackConfig, TokenizeConfig
from conf.features import FeaturesConfig
from conf.learn import EvaluateConfig, GenerateConfig, ModelConfig, TrainConfig
from conf.section import Section


class SparkConfig(Section):
    """Where the job runs. Ignored where a Spark session is already active (notebook, spark-submit)."""

    master: str = Field("local[*]", description="Spark master URL, e.g. local[2], yarn, spark://host:7077.")
    driver_memory: str = Field(
        "auto",
        pattern=r"^(auto|[1-9]\d*[mg])$",
        description="Heap of the driver's JVM; auto: a quarter of the machine's memory, 1 to 31 GiB, at most "
        "4 where executors have machines of their own.",
    )
    worker_memory: str = Field(
        "auto",
        pattern=r"^(auto|[1-9]\d*[mg])$",
        description="Address space of a Python worker, beyond which its task fails; auto: half of the "
        "machine's memory over the task slots, at least 3 GiB, on a local master; else what the cluster "
        "allows.",
    )
    shuffle_partitions: Annotated[int, Field(ge=1, le=2**20)] | Literal["auto"] = Field(
        "auto",
        description="Partitions after a shuffle; auto: by the bytes that a stage reads and the memory of a "
        "task, at least 2 per core. Results do not depend on it.",
    )
    conf: dict[str, str] = Field(default_factory=dict, description="Any further Spark settings.")


class ReportConfig(Section):
    """What the report shows."""

    examples_per_rule: int = Field(3, ge=0, le=50, description="Rejected documents shown for each rule.")
    num_clusters: int = Field(10, ge=0, le=200, description="Largest duplicate clusters shown.")
    excerpt_chars: int = Field(400, ge=40, le=10_000, description="Characters shown of a document.")


class RunConfig(Section):
    """A whole run: raw files in, model and report out."""

    name: str = Field("run", description="Name shown in reports and in the Spark UI.")
    lake: str = Field("lake", description="Folder of tables, checkpoints, model and report: a path or URL.")
    spark: SparkConfig = Field(default_factory=SparkConfig)
    ingest: IngestConfig = Field(default_factory=IngestConfig)
    clean: CleanConfig = Field(default_factory=CleanConfig)
    repeats: RepeatsConfig = Field(default_factory=RepeatsConfig)
    dedup: DedupConfig = Field(default_factory=DedupConfig)
    decontaminate: DecontaminateConfig = Field(default_factory=DecontaminateConfig)
    tokenize: TokenizeConfig = Field(default_factory=TokenizeConfig)
    mix: MixConfig = Field(default_factory=MixConfig)
    features: FeaturesConfig = Field(default_factory=FeaturesConfig)
    pack: PackConfig = Field(default_factory=PackConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    generate: GenerateConfig = Field(default_factory=GenerateConfig)
    report: ReportConfig = Field(default_factory=ReportConfig)
    card: CardConfig = Field(default_factory=CardConfig)
