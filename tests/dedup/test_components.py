"""Connected components against networkx: in one task, and in rounds on Spark."""

from __future__ import annotations

import random
from collections.abc import Iterable

import networkx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from pipelines.dedup import forest
from pipelines.dedup.components import connected_components
from pipelines.errors import StageFailedError
from tests.dedup.support import ON_SPARK

Edges = list[tuple[str, str]]


def name(node: int) -> str:
    """Names whose order has nothing to do with the numbers' order."""
    return f"{node * 2654435761 % 2**32:08x}"


def edges_of(pairs: Iterable[tuple[int, int]]) -> Edges:
    named = [tuple(sorted((name(a), name(b)), reverse=True)) for a, b in pairs if a != b]
    return [(node, hub) for node, hub in named]


def expected(edges: Edges) -> dict[str, str]:
    graph = networkx.Graph(edges)
    return {node: min(part) for part in networkx.connected_components(graph) for node in part}


def on_spark(
    spark: SparkSession, edges: Edges, partitions: int = 2, max_rounds: int = 30
) -> tuple[dict[str, str], int]:
    rows = spark.sparkContext.parallelize(edges, partitions)
    frame = spark.createDataFrame(rows, "node string not null, hub string not null")
    found = connected_components(frame, max_rounds, lambda _line: None, local_edges=0)
    labelled = [(row["node"], row["component"]) for row in found.labels.collect()]
    assert len({node for node, _ in labelled}) == len(labelled), "a node has two labels"
    return dict(labelled), found.num_rounds


PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60)


@settings(max_examples=300, deadline=None)
@given(PAIRS)
def test_one_task_agrees_with_networkx(pairs: list[tuple[int, int]]) -> None:
    edges = edges_of(pairs)
    nodes, labels = forest.components(
        pa.chunked_array([[node for node, _ in edges]], pa.string()),
        pa.chunked_array([[hub for _, hub in edges]], pa.string()),
    )
    assert dict(zip(nodes.to_pylist(), labels.to_pylist(), strict=True)) == expected(edges)


@ON_SPARK
@given(pairs=PAIRS.filter(lambda pairs: any(a != b for a, b in pairs)), partitions=st.sampled_from([1, 3, 7]))
def test_rounds_on_spark_agree_with_networkx(
    spark: SparkSession, pairs: list[tuple[int, int]], partitions: int
) -> None:
    edges = edges_of(pairs)
    assert on_spark(spark, edges, partitions)[0] == expected(edges)


def test_chains_and_stars_need_few_rounds(spark: SparkSession) -> None:
    """A chain of 12,000, a star of 2,000, a caterpillar and 50 random trees, all in one graph.

    log2 of the chain is 13.6. Adaptive execution cuts any partition of more than a kilobyte, as it would
    with skewed ones of a large graph.
    """
    random_ = random.Random(5)
    chain = [(30_000 + node, 30_001 + node) for node in range(11_999)]
    star = [(10_000, 10_001 + leaf) for leaf in range(2000)]
    spine = [(node, node + 1) for node in range(300)]
    legs = [(node, 1000 + 5 * node + leg) for node in range(300) for leg in range(5)]
    trees = [
        (20_000 + 100 * tree + node, 20_000 + 100 * tree + random_.randrange(node))
        for tree in range(50)
        for node in range(1, 30)
    ]
    edges = edges_of([*chain, *star, *spine, *legs, *trees])
    skewed = {
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": "1k",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "1k",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
    }
    before = {key: spark.conf.get(key) for key in skewed}
    try:
        for key, value in skewed.items():
            spark.conf.set(key, value)
        labels, rounds = on_spark(spark, edges)
    finally:
        for key, old in before.items():
            spark.conf.set(key, str(old))
    assert labels == expected(edges)
    assert rounds <= 16


def test_no_edges_give_no_labels(spark: SparkSession) -> None:
    assert on_spark(spark, [])[0] == {}


def test_too_few_rounds_name_the_limit(spark: SparkSession) -> None:
    edges = edges_of((node, node + 1) for node in range(200))
    with pytest.raises(StageFailedError, match=r"dedup\.max_rounds = 2"):
        on_spark(spark, edges, max_rounds=2)
