"""What a day costs follows its own size: rows and files that Spark reads, by table, day for day."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipelines.lake import Catalog, Lake
from tests.daily.test_run import config_of, day, texts, write

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(3600)]

DAYS, DOCUMENTS = 8, 30


def scanned(spark: SparkSession, since: int) -> tuple[Counter[str], Counter[str], int]:
    """Rows and files that scans gave since a query, by table or `batch`; and the next query."""
    store: Any = spark._jsparkSession.sharedState().statusStore()
    rows: Counter[str] = Counter()
    files: Counter[str] = Counter()
    queries = store.executionsList()
    for index in range(queries.size()):
        number = queries.apply(index).executionId()
        if number < since:
            continue
        values = store.executionMetrics(number)
        nodes = store.planGraph(number).allNodes()
        for place in range(nodes.size()):
            node = nodes.apply(place)
            name = node.name()
            if not name.startswith("Scan parquet") or "_delta_log" in node.desc():
                continue
            path = node.desc().partition("/tables/")
            table = path[2].split("]")[0].split("/")[0].split(",")[0]
            which = "batch" if "/batches/" in path[0] else table
            metrics = node.metrics()
            for at in range(metrics.size()):
                metric = metrics.apply(at)
                value = values.get(metric.accumulatorId())
                if value.isEmpty():
                    continue
                counted = {"number of output rows": rows, "number of files read": files}.get(metric.name())
                if counted is not None:
                    counted[which] += int(value.get().split("\n")[0].replace(",", "").split()[0])
    return rows, files, queries.size() and int(queries.apply(queries.size() - 1).executionId()) + 1


def test_a_day_reads_its_own_rows_and_looks_up_signatures(spark: SparkSession, tmp_path: Path) -> None:
    base = texts(31, DAYS * DOCUMENTS)
    lake = tmp_path / "lake"
    config = config_of(tmp_path, lake)
    read: list[tuple[Counter[str], Counter[str]]] = []
    added: list[dict[str, int]] = []
    _, _, since = scanned(spark, 0)
    spark.conf.set("spark.sql.maxMetadataStringLength", "2000")
    try:
        for number in range(DAYS):
            own = base[number * DOCUMENTS : (number + 1) * DOCUMENTS]
            write(tmp_path / "in", {f"{number}.jsonl": own})
            day(config)
            rows, files, since = scanned(spark, since)
            read.append((rows, files))
            catalog = Catalog(Lake.at(lake))
            added.append(
                {
                    name: len(
                        catalog.active_paths(name, catalog.info(name).version)
                        - catalog.active_paths(name, catalog.info(name).version - 1)
                    )
                    for name in ("documents", "clean", "corpus", "tokens", "sequences")
                    if number
                }
            )
    finally:
        spark.conf.unset("spark.sql.maxMetadataStringLength")
    (early, early_files), (late, late_files) = read[1], read[-1]
    assert early["batch"] >= 5 * DOCUMENTS, "the scans of the batch are not among those counted"
    assert late["batch"] <= 1.5 * early["batch"]
    assert late_files["batch"] <= 1.5 * early_files["batch"]
    others = {name: count for name, count in late.items() if name not in ("batch", "signatures")}
    assert sum(others.values()) == 0, f"tables of the history were read: {others}"
    # The lookup by design: each scan of the signatures sees a row a document so far.
    scans = early["signatures"] / DOCUMENTS
    assert late["signatures"] <= 1.5 * scans * DOCUMENTS * (DAYS - 1)
    assert max(added[-1].values()) <= 2 * max(added[1].values())
    print({"day 2": dict(early), f"day {DAYS}": dict(late)}, added[1], added[-1])
