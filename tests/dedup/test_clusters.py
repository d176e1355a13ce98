"""Clusters in one task: against networkx on hashes, and against the joins of any size on whole tables."""

from __future__ import annotations

from typing import Any

import networkx
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.dedup import DedupConfig
from pipelines.dedup.clusters import clusters
from pipelines.dedup.stage import dedup
from tests.dedup.support import ON_SPARK, clean_frame, collect, doc_id

BANDS = 3
DOCUMENT = st.fixed_dictionaries(
    {
        "content": st.integers(0, 6),
        "num_bytes": st.integers(0, 2),
        "source": st.sampled_from(["a", "b", "ä", ""]),
        "address": st.one_of(st.none(), st.integers(0, 5)),
    }
)
# What a text's keys are follows from the text; no keys: no word.
KEYS = st.lists(
    st.one_of(st.just([]), st.lists(st.integers(-(2**63), -(2**63) + 3), min_size=BANDS, max_size=BANDS)),
    min_size=7,
    max_size=7,
)


def table_of(documents: list[dict[str, Any]], keys: list[list[int]], url: bool) -> pa.Table:
    rows = pa.table(
        {
            "doc_id": [doc_id(str(number)) for number in range(len(documents))],
            "content": pa.array([bytes([each["content"]]) for each in documents], pa.binary()),
            "num_bytes": pa.array([each["num_bytes"] for each in documents], pa.int64()),
            "source": pa.array([each["source"] for each in documents], pa.string()),
            # A key has its band in it.
            "keys": pa.array(
                [[4 * band + key for band, key in enumerate(keys[each["content"]])] for each in documents],
                pa.list_(pa.int64()),
            ),
        }
    )
    addresses = [None if each["address"] is None else str(each["address"]) for each in documents]
    return rows.append_column("address", pa.array(addresses, pa.string())) if url else rows


def expected(rows: list[dict[str, Any]], keep: str, connected: str) -> tuple[dict[str, dict[str, Any]], int]:
    """Rows of all clusters of more than one, by document; and the edges between first ones of a content."""
    names = sorted(row["doc_id"] for row in rows)
    by_id = {row["doc_id"]: row for row in rows}
    first = {name: min(n for n in names if by_id[n]["content"] == by_id[name]["content"]) for name in names}
    graph = networkx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(first.items())
    edges = set()
    for name in names:
        places = {("key", key) for key in by_id[name]["keys"]} if first[name] == name else set()
        if by_id[name].get("address") is not None:
            places.add(("address", by_id[name]["address"]))
        for kind, place in places:
            column = "keys" if kind == "key" else "address"
            there = [first[n] for n in names if place == by_id[n].get(column) or place in (by_id[n]["keys"])]
            edges.add((kind, first[name], min(there)))
    edges = {edge for edge in edges if edge[1] != edge[2]}
    graph.add_edges_from(edge[1:] for edge in edges)
    found = {}
    for part in networkx.connected_components(graph):
        rank = "source" if keep == "first" else "num_bytes"
        sign = 1 if keep == "first" else -1
        best = min(
            part,
            key=lambda n: (by_id[n][rank].encode() if sign == 1 else -by_id[n][rank], n),
        )
        for name in part if len(part) > 1 else ():
            own, other = by_id[name], by_id[best]
            equal = own["content"] == other["content"]
            same_place = own.get("address") is not None and own["address"] == other["address"]
            found[name] = {
                "kept_doc_id": best,
                "cluster_size": len(part),
                "is_equal": equal,
                "method": "url" if same_place else "exact" if equal else connected,
            }
    return found, len(edges)


@settings(max_examples=300, deadline=None)
@given(
    documents=st.lists(DOCUMENT, min_size=1, max_size=25),
    keys=KEYS,
    keep=st.sampled_from(["longest", "first"]),
    url=st.booleans(),
)
def test_one_task_agrees_with_networkx(
    documents: list[dict[str, Any]], keys: list[list[int]], keep: str, url: bool
) -> None:
    rows = table_of(documents, keys, url)
    found = clusters(rows, keep, "minhash").to_pylist()
    wanted, num_edges = expected(rows.to_pylist(), keep, "minhash")
    assert sum(row.pop("num_edges") for row in found) == num_edges
    assert {row.pop("doc_id"): row for row in found} == wanted


PIECE = st.sampled_from(["one two three four", "five six seven eight", "nine ten eleven", "---", ""])
TEXTS = st.lists(st.lists(PIECE, max_size=3).map("\n".join), min_size=1, max_size=25)
URLS = st.lists(st.one_of(st.none(), st.sampled_from(["http://x.org/1", "http://x.org/2"])), min_size=25)


@ON_SPARK
@given(
    texts=TEXTS,
    urls=URLS,
    config=st.fixed_dictionaries(
        {
            "method": st.sampled_from(["minhash", "exact"]),
            "keep": st.sampled_from(["longest", "first"]),
            "url": st.booleans(),
            "validation_fraction": st.just(0.4),
            "bands": st.just(3),
            "rows": st.just(1),
            "ngram": st.just(2),
        }
    ),
)
def test_one_task_and_joins_of_any_size_give_the_same_tables(
    spark: SparkSession, texts: list[str], urls: list[str | None], config: dict[str, Any]
) -> None:
    named = {f"d{number}": text for number, text in enumerate(texts)}
    places = {name: url for name, url in zip(named, urls, strict=False) if url is not None}
    clean = clean_frame(spark, named, 3, urls=places)
    outputs = [dedup(clean, DedupConfig(**config), local_bytes=size) for size in (2**20, 0)]
    assert outputs[0].details == outputs[1].details
    assert collect(outputs[0]) == collect(outputs[1])


def test_the_limit_is_in_bytes_of_what_the_task_is_given(spark: SparkSession) -> None:
    """An id of 32, a hash of 32, a length of 8 and 4 keys of 8 bytes: 104 a document."""
    clean = clean_frame(spark, {f"d{number}": f"text {number} of many" for number in range(10)})
    config = DedupConfig(bands=4, rows=2)
    held = [len(dedup(clean, config, local_bytes=size).shared) for size in (1040, 1039)]
    assert held == [2, 3], "signatures and clusters; and the documents' representatives between them"
