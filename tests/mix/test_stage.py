"""The mixture on Spark: weights within one document, whole repeats, stability, and packing of copies."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from conf.errors import ConfigError
from conf.mix import MixConfig
from conf.pack import PackConfig
from pipelines.errors import InputError
from pipelines.mix.stage import mix, with_copies
from pipelines.pack.order import in_buckets
from pipelines.pack.stage import pack, packed_totals
from tests.dedup.support import ON_SPARK, doc_id
from tests.support.token_ids import numbers, stored

TOKENS = "doc_id string, split string, input_ids binary, num_tokens long, num_bytes long"
CORPUS = "doc_id string, source string, lang string"


def lake(spark: SparkSession, count: int = 300, partitions: int = 3) -> tuple[DataFrame, DataFrame]:
    """`tokens` and what is needed of `corpus`: web pages in two languages, books, and notes of no group."""
    random_ = random.Random(count)
    tokens, corpus = [], []
    for number in range(count):
        key = doc_id(str(number))
        ids = [random_.randrange(1, 99) for _ in range(random_.randrange(40))]
        source, lang = random_.choice(
            [("web/a_1.jsonl", "en"), ("web/b%2.jsonl", "zh"), ("books/c.txt", "en"), ("notes", "fr")]
        )
        tokens.append((key, "validation" if number % 10 == 0 else "train", stored(ids), len(ids), 1))
        corpus.append((key, source, lang))
    random_.shuffle(tokens)
    frame = spark.createDataFrame(tokens, TOKENS).repartition(partitions)
    return frame, spark.createDataFrame(corpus, CORPUS)


def config(web: float, zh: float, books: float, **more: Any) -> MixConfig:
    groups = [
        {"name": "zh", "languages": ["zh"], "weight": zh},
        {"name": "web", "sources": ["web/*"], "weight": web},
        {"name": "books", "sources": ["book?/c*"], "languages": ["en"], "weight": books},
    ]
    return MixConfig.model_validate({"groups": groups, "max_repeats": 50, **more})


def rows(frames: tuple[DataFrame, DataFrame], config: MixConfig) -> list[dict[str, Any]]:
    output = mix(*frames, config)
    try:
        found = [row.asDict() for row in output.tables["mixed"].collect()]
        return sorted(found, key=lambda row: row["doc_id"])
    finally:
        for frame in output.shared:
            frame.unpersist()


def test_what_is_taken_of_a_group_lies_in_all_of_packings_buckets(spark: SparkSession) -> None:
    # About a tenth of the web pages, both stages with one seed: the choice says nothing of the place.
    seed = 7
    frames = lake(spark, count=4000)
    output = mix(*frames, config(1, 0, 0, token_budget=4_000, seed=seed))
    chosen = with_copies(frames[0], output.tables["mixed"]).where("split = 'train'")
    counts = Counter(row[0] for row in in_buckets(chosen, seed, 2, ["train"]).select("bucket").collect())
    for frame in output.shared:
        frame.unpersist()
    assert 100 < counts.total() < 400
    assert len(counts) == 4
    assert max(counts.values()) < 2 * min(counts.values())


@ON_SPARK
@given(
    weights=st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 5)),
    budget=st.integers(1, 20_000),
    partitions=st.sampled_from([1, 5]),
)
def test_weights_are_honoured_within_one_document(
    spark: SparkSession, weights: tuple[int, int, int], budget: int, partitions: int
) -> None:
    frames = lake(spark, partitions=partitions)
    mixed = rows(frames, config(*weights, token_budget=budget))
    assert len(mixed) == frames[0].count()
    assert all(row["copies"] == 1 for row in mixed if row["split"] == "validation")
    train = [row for row in mixed if row["split"] == "train"]
    assert {row["copies"] for row in train if row["group"] is None} == {0}
    for name, weight in zip(("web", "zh", "books"), weights, strict=True):
        mine = [row for row in train if row["group"] == name]
        given_ = sum(row["copies"] * row["num_tokens"] for row in mine)
        target = int(Fraction(weight, sum(weights)) * budget)
        assert 0 <= given_ - target < max(row["num_tokens"] for row in mine)
        assert max(row["copies"] for row in mine) - min(row["copies"] for row in mine) <= 1


def test_groups_go_by_source_and_language_and_the_first_that_fits_counts(spark: SparkSession) -> None:
    frames = lake(spark)
    fits = {
        ("web/a_1.jsonl", "en"): "web",
        ("web/b%2.jsonl", "zh"): "zh",
        ("books/c.txt", "en"): "books",
        ("notes", "fr"): None,
    }
    expected = {row.doc_id: fits[row.source, row.lang] for row in frames[1].collect()}
    assert {row["doc_id"]: row["group"] for row in rows(frames, config(1, 1, 1))} == expected
    literal = MixConfig.model_validate({"groups": [{"name": "one", "sources": ["web/b%2.jsonl", "web/a*"]}]})
    both = {key for key, name in expected.items() if name in ("web", "zh")}
    assert {row["doc_id"] for row in rows(frames, literal) if row["group"]} == both
    anything = MixConfig.model_validate({"groups": [{"name": "one", "sources": ["web/a%1.jsonl"]}]})
    with pytest.raises(InputError, match="no training documents"):
        mix(*frames, anything)


def test_a_larger_budget_only_adds_and_a_changed_group_leaves_others_alone(spark: SparkSession) -> None:
    frames = lake(spark)
    few = rows(frames, config(1, 1, 2, token_budget=1000))
    more = rows(frames, config(1, 1, 2, token_budget=1500))
    assert all(a["copies"] <= b["copies"] for a, b in zip(few, more, strict=True))
    # web and books keep their 500 tokens each while zh gets half of its former share.
    one = rows(frames, config(2, 2, 2, token_budget=1500))
    other = rows(frames, config(2, 1, 2, token_budget=1250))
    for a, b in zip(one, other, strict=True):
        assert a == b or a["group"] == "zh"


def test_no_budget_keeps_the_size_and_too_many_repeats_name_the_largest_budget(spark: SparkSession) -> None:
    frames = lake(spark)
    train = [row for row in rows(frames, config(1, 1, 1)) if row["split"] == "train" and row["group"]]
    had = sum(row["num_tokens"] for row in train)
    assert abs(sum(row["copies"] * row["num_tokens"] for row in train) - had) < 3 * 40
    with pytest.raises(
        InputError, match=r"max_repeats = 2; the largest mix\.token_budget .* is ([\d,]+)"
    ) as told:
        mix(*frames, config(1, 0, 9, token_budget=100_000, max_repeats=2))
    largest = int(str(told.value).rsplit(" ", 1)[1].replace(",", ""))
    assert rows(frames, config(1, 0, 9, token_budget=largest, max_repeats=2))
    with pytest.raises(InputError, match="max_repeats"):
        mix(*frames, config(1, 0, 9, token_budget=largest + 9, max_repeats=2))
    with pytest.raises(ConfigError, match="empty"):
        mix(*frames, MixConfig())


def test_every_copy_is_packed_and_leads_back_to_its_document(spark: SparkSession) -> None:
    tokens, corpus = lake(spark, count=120)
    output = mix(tokens, corpus, config(1, 3, 1, token_budget=6000))
    mixed = output.tables["mixed"]
    copies = {row.doc_id: row.copies for row in mixed.collect()}
    ids = {row.doc_id: numbers(row.input_ids) for row in tokens.collect()}
    assert max(copies.values()) >= 3
    packing = PackConfig(sequence_length=16, rows_per_group=8, rows_per_file=32)
    sequences = pack(with_copies(tokens, mixed), packing, eod_id=0, vocab_size=2**16).tables["sequences"]
    found = [row.asDict(recursive=True) for row in sequences.collect()]
    total = sum(copies[key] * (len(ids[key]) + 1) for key in ids)
    assert sum(row["num_tokens"] for row in found) == total
    assert packed_totals(sequences)[0] == sum(copies.values())
    places: Counter[tuple[str, int]] = Counter()
    for row in found:
        for part in row["segments"]:
            piece = numbers(row["input_ids"])[part["start"] : part["end"]]
            whole = [*ids[part["doc_id"]], 0]
            assert whole[part["doc_start"] : part["doc_start"] + len(piece)] == piece
            places.update((part["doc_id"], part["doc_start"] + n) for n in range(len(piece)))
    assert places == Counter(
        {(key, n): copies[key] for key in ids for n in range(len(ids[key]) + 1) if copies[key]}
    )
    for frame in output.shared:
        frame.unpersist()
