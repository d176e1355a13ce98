"""Heap, workers' memory and partitions follow the machine and the bytes; what a user names stays."""

import resource
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.spark import SparkConfig
from pipelines.errors import EnvironmentProblem
from pipelines.granted import Granted, granted
from pipelines.session import fit_shuffles, settings
from pipelines.sizing import (
    GIB,
    MIB,
    driver_heap,
    parse_size,
    partition_bytes,
    shuffle_partitions,
    worker_memory,
)
from pipelines.worker import MEMORY_VARIABLE, limited


@pytest.mark.parametrize(
    ("master", "memory", "heap"),
    [
        ("local[2]", 24 * GIB, 6 * GIB),
        ("local[2]", 2 * GIB, 1 * GIB),
        ("local[*]", 1024 * GIB, 31 * GIB),
        ("local-cluster[2,1,2048]", 64 * GIB, 4 * GIB),
        ("yarn", 256 * GIB, 4 * GIB),
    ],
)
def test_the_heap_follows_the_machine(master: str, memory: int, heap: int) -> None:
    assert driver_heap(SparkConfig(master=master), memory) == heap
    assert driver_heap(SparkConfig(master=master, driver_memory="2500m"), memory) == 2500 * MIB


def test_the_workers_of_a_local_run_share_half_of_the_machine() -> None:
    assert worker_memory(SparkConfig(), 2, 24 * GIB) == 6 * GIB
    assert worker_memory(SparkConfig(), 64, 24 * GIB) == 3 * GIB
    assert worker_memory(SparkConfig(worker_memory="5g"), 64, 24 * GIB) == 5 * GIB
    assert worker_memory(SparkConfig(master="yarn"), 4, 24 * GIB) is None
    assert worker_memory(SparkConfig(master="yarn", worker_memory="5g"), 4, 24 * GIB) == 5 * GIB


def test_the_users_own_options_of_the_jvm_come_behind_ours() -> None:
    own = "-XX:+UseParallelGC"
    config = SparkConfig(conf={"spark.driver.extraJavaOptions": own, "spark.ui.enabled": "true"})
    made = settings(config)
    assert made["spark.driver.extraJavaOptions"].endswith(own)
    assert "GCLockerRetryAllocationCount" in made["spark.driver.extraJavaOptions"]
    assert "GCLockerRetryAllocationCount" in made["spark.executor.extraJavaOptions"]
    assert made["spark.ui.enabled"] == "true"
    assert MEMORY_VARIABLE in " ".join(made)


@given(st.integers(0, 2**50), st.integers(1, 4096), st.integers(GIB, 64 * GIB), st.integers(1, 64))
def test_partitions_hold_what_a_task_can_take_and_are_no_fewer_than_the_slots(
    text_bytes: int, slots: int, heap: int, in_one: int
) -> None:
    target = partition_bytes(heap, in_one)
    number = shuffle_partitions(text_bytes, slots, target)
    assert number >= max(4, 2 * slots) or number == 100_000
    assert number == 100_000 or text_bytes <= number * target
    # No more of them than the bytes or the slots ask for.
    assert (number - 1) * target < text_bytes or number == max(4, 2 * slots)


def test_two_gigabytes_need_more_than_four_partitions() -> None:
    target = partition_bytes(3 * GIB, 2)
    assert shuffle_partitions(2 * 10**9, 2, target) > 30
    assert shuffle_partitions(10**6, 2, target) == 4


def test_a_session_is_fitted_to_the_bytes_unless_a_number_is_named(spark: SparkSession) -> None:
    key = "spark.sql.shuffle.partitions"
    before = spark.conf.get(key)
    assert granted(spark) == Granted(1, 2, 2, 2 * GIB)
    try:
        fit_shuffles(spark, SparkConfig(), 10 * 10**9)
        assert int(spark.conf.get(key) or 0) == shuffle_partitions(10**10, 2, partition_bytes(2 * GIB, 2))
        spark.conf.set(key, "11")
        fit_shuffles(spark, SparkConfig(shuffle_partitions=11), 10 * 10**9)
        assert spark.conf.get(key) == "11"
        fit_shuffles(spark, SparkConfig(), 0)
        assert spark.conf.get(key) == "4" == before
    finally:
        spark.conf.set(key, before or "4")


def test_a_worker_that_wants_too_much_fails_alone() -> None:
    code = (
        "from pipelines.worker import limited\n"
        "with limited(2**30):\n"
        "    try:\n"
        "        bytearray(2**31)\n"
        "    except MemoryError:\n"
        "        print('refused')\n"
        "print(len(bytearray(2**31)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused", str(2**31)]


def test_without_a_bound_nothing_changes() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with limited(0):
        assert resource.getrlimit(resource.RLIMIT_AS) == before
        assert len(pa.array(range(10))) == 10


@pytest.mark.parametrize(
    ("text", "size"), [("512m", 512 * MIB), ("3g", 3 * GIB), ("1024", GIB), ("2gb", 2 * GIB)]
)
def test_sizes_are_read_as_spark_writes_them(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_what_is_no_size_is_named() -> None:
    with pytest.raises(EnvironmentProblem, match="'lots' is no size"):
        parse_size("lots")
