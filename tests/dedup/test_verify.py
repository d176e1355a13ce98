"""Verified candidates: all pairs of a small bucket, hubs of a large one, and one address."""

from __future__ import annotations

import itertools
import random

import networkx
import pytest
from pyspark.sql import SparkSession

from conf import load
from conf.dedup import DedupConfig
from conf.errors import ConfigError
from pipelines.dedup.stage import dedup
from pipelines.dedup.verify import ALL_PAIRS, verified_edges
from tests.dedup.support import clean_frame, collect, doc_id, jaccard, random_words


def test_edges_are_the_similar_pairs_of_small_buckets_and_connect_those_of_large_ones(
    spark: SparkSession,
) -> None:
    """Small: exactly the true pairs. Large: 4 groups of 10 near texts and 4 strangers, but 5 hubs."""
    random_ = random.Random(8)
    texts: dict[str, list[str]] = {}
    places: list[tuple[str, str]] = []
    for bucket in range(20):
        words = random_words(random_, 20, 10**6)
        for number in range(random_.randrange(2, 6)):
            name = f"s{bucket}.{number}"
            texts[name] = words[random_.randrange(4) :] + random_words(random_, random_.randrange(4))
            places.append((f"small {bucket}", name))
    for group in range(4):
        words = random_words(random_, 30, 10**6)
        for number in range(10):
            texts[f"l{group}.{number}"] = [*words, str(number)]
    for number in range(4):
        texts[f"x{number}"] = random_words(random_, 20, 10**6)
    large = [name for name in texts if name[0] in "lx"]
    assert len(large) > ALL_PAIRS
    places += [("large", name) for name in large]
    ids = {doc_id(name): name for name in texts}
    edges, left = verified_edges(
        spark.createDataFrame([(key, doc_id(name)) for key, name in places], "key string, node string"),
        spark.createDataFrame(
            [(doc_id(name), " ".join(words)) for name, words in texts.items()], "doc_id string, text string"
        ),
        2,
        "words",
        0.7,
        lambda _line: None,
        max_hubs=5,
    )
    found = {(ids[row["node"]], ids[row["hub"]]) for row in edges.collect()}
    assert all(doc_id(hub) < doc_id(node) for node, hub in found)
    near = {
        tuple(sorted(pair, key=doc_id, reverse=True))
        for _, names in itertools.groupby(sorted(places), key=lambda place: place[0])
        for pair in itertools.combinations([name for _, name in names], 2)
        if jaccard(texts[pair[0]], texts[pair[1]], 2) >= 0.7
    }
    assert found <= near
    assert {pair for pair in found if pair[0][0] == "s"} == {pair for pair in near if pair[0][0] == "s"}
    hubs = {pair[1] for pair in found if pair[0][0] == "l"}
    assert len(hubs) <= 4
    compared = {name for pair in found for name in pair if name[0] == "l"}
    assert left == len(large) - len(compared) - (5 - len(hubs)), "a place was lost in silence"
    graph = networkx.Graph(pair for pair in found if pair[0][0] == "l")
    assert all(
        len({name.split(".")[0] for name in part}) == 1 for part in networkx.connected_components(graph)
    )
    assert all(len(part) == 10 for part in networkx.connected_components(graph))


def test_a_threshold_parts_what_a_bucket_joins_and_an_address_joins_what_it_parts(
    spark: SparkSession,
) -> None:
    words = random_words(random.Random(2), 60)
    texts = {
        "a": " ".join(words),
        "b": " ".join([*words, "end"]),
        "c": " ".join(words[:40] + random_words(random.Random(3), 20)),
        "d": "something else at the same place",
    }
    urls = {"a": "http://x.org/1?utm_id=4", "d": "https://x.org/1/"}
    config = {"ngram": 2, "bands": 40, "rows": 1}

    def gone(**more: object) -> dict[str, str]:
        output = dedup(clean_frame(spark, texts, urls=urls), DedupConfig.model_validate(config | more))
        return {row["source_id"]: row["method"] for row in collect(output)["duplicates"]}

    assert gone() == {"a": "minhash", "c": "minhash"}
    assert gone(verify_threshold=0.9) == {"a": "minhash"}
    assert gone(method="exact", url=True) == {"d": "url"}


def test_verification_against_a_history_is_refused_with_both_values() -> None:
    with pytest.raises(ConfigError, match=r"verify_threshold = 0\.8 .*history = 'h'"):
        load(None, ["dedup.verify_threshold=0.8", "dedup.history=h"])
