"""Section `spark`: the session."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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
