"""The stage on planted duplicates: accounting, survivors, similarity, split, any partitioning."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.dedup import DedupConfig
from pipelines.dedup.stage import dedup
from schemas.corpus import CORPUS
from schemas.duplicates import DUPLICATES
from tests.dedup.support import ON_SPARK, clean_frame, collect, doc_id, jaccard, random_words

Tables = dict[str, list[dict[str, Any]]]
RANDOM = random.Random(20)
BASE = random_words(RANDOM, 200)


def run(spark: SparkSession, texts: dict[str, str], partitions: int = 2, **config: Any) -> Tables:
    return collect(dedup(clean_frame(spark, texts, partitions, seed=partitions), DedupConfig(**config)))


def check_laws(texts: dict[str, str], tables: Tables) -> None:
    """What holds for every input: the accounts, the survivors' rule, the evidence."""
    by_id = {doc_id(name): (name, text) for name, text in texts.items()}
    corpus = {row["doc_id"]: row for row in tables["corpus"]}
    gone = {row["doc_id"]: row for row in tables["duplicates"]}
    assert len(corpus) == len(tables["corpus"])
    assert len(gone) == len(tables["duplicates"])
    assert corpus.keys() | gone.keys() == by_id.keys()
    assert not corpus.keys() & gone.keys()
    clusters = {kept: [kept] for kept in corpus}
    for row in gone.values():
        assert row["kept_doc_id"] in corpus
        clusters[row["kept_doc_id"]].append(row["doc_id"])
        kept_name, kept_text = by_id[row["kept_doc_id"]]
        assert row["kept_source_id"] == kept_name
        text = by_id[row["doc_id"]][1]
        assert row["num_bytes"] == len(text.encode())
        assert (row["method"] == "exact") == (text == kept_text)
        if row["method"] == "exact":
            assert row["similarity"] == 1.0
    for kept, members in clusters.items():
        assert corpus[kept]["cluster_size"] == len(members)
        assert kept == min(members, key=lambda member: (-len(by_id[member][1].encode()), member))
    survivors_by_text = {by_id[kept][1]: kept for kept in corpus}
    assert len(survivors_by_text) == len(corpus), "two equal texts stayed"


def test_planted_duplicates_are_found_and_explained(spark: SparkSession) -> None:
    texts = {
        "base": " ".join(BASE),
        "longer": " ".join([*BASE, "zzz"]),
        "shouted": " ".join(BASE).upper() + "!",
        "copy of base": " ".join(BASE),
        "copy of longer": " ".join([*BASE, "zzz"]),
        "other": " ".join(random_words(RANDOM, 200)),
        "short": "Return self.",
        "short, other case": "return SELF",
        "short, other": "Return other.",
        "signs": "-----",
        "signs again": "-----",
        "other signs": "=====",
        "empty": "",
    }
    tables = run(spark, texts)
    check_laws(texts, tables)
    gone = {row["source_id"]: row for row in tables["duplicates"]}
    longer, copy = sorted(["longer", "copy of longer"], key=doc_id)
    assert {name: row["kept_source_id"] for name, row in gone.items()} == {
        "base": longer,
        "shouted": longer,
        "copy of base": longer,
        copy: longer,
        "short, other case": "short",
        max(["signs", "signs again"], key=doc_id): min(["signs", "signs again"], key=doc_id),
    }
    assert {name: row["method"] for name, row in gone.items() if row["method"] == "exact"} == {
        copy: "exact",
        max(["signs", "signs again"], key=doc_id): "exact",
    }
    similarity = jaccard(BASE, [*BASE, "zzz"], 5)
    assert gone["base"]["similarity"] == gone["shouted"]["similarity"] == similarity
    assert gone["short, other case"]["similarity"] == 1.0
    sizes = {row["source_id"]: row["cluster_size"] for row in tables["corpus"]}
    assert sizes[longer] == 5
    assert sizes["other"] == sizes["empty"] == 1
    assert set(tables["corpus"][0]) == set(CORPUS.column_names)
    assert set(tables["duplicates"][0]) == set(DUPLICATES.column_names)


PIECES = st.lists(
    st.sampled_from([" ".join(BASE[start : start + 12]) for start in range(0, 60, 12)]), max_size=4
)
TEXTS = st.lists(st.one_of(PIECES.map("\n".join), st.text(max_size=20)), min_size=1, max_size=30)


@ON_SPARK
@given(texts=TEXTS)
def test_laws_hold_and_partitioning_changes_nothing(spark: SparkSession, texts: list[str]) -> None:
    named = {f"d{number}": text for number, text in enumerate(texts)}
    config = {"bands": 4, "rows": 2, "ngram": 3, "validation_fraction": 0.4}
    first = run(spark, named, 1, **config)
    check_laws(named, first)
    assert run(spark, named, 7, **config) == first


def perturbed(random_: random.Random, words: list[str], num_changes: int) -> list[str]:
    result = list(words)
    for position in random_.sample(range(len(words)), num_changes):
        result[position] = f"x{random_.randrange(10**9)}"
    return result


def test_near_duplicates_are_found_and_strangers_are_not_merged(spark: SparkSession) -> None:
    """At Jaccard s >= 0.9, a pair is missed with probability (1 - 0.9^8)^14 = 0.04%."""
    random_ = random.Random(4)
    texts: dict[str, str] = {}
    pairs: dict[str, tuple[list[str], list[str]]] = {}
    for number in range(300):
        words = random_words(random_, 300, vocabulary=20_000)
        other = perturbed(random_, words, random_.choice([1, 2, 3]))
        texts |= {f"a{number}": " ".join(words), f"b{number}": " ".join(other)}
        pairs[f"a{number}"] = (words, other)
    near = {name for name, (words, other) in pairs.items() if jaccard(words, other, 5) >= 0.9}
    assert len(near) > 250
    tables = run(spark, texts, 3)
    check_laws(texts, tables)
    linked = {frozenset((row["source_id"], row["kept_source_id"])) for row in tables["duplicates"]}
    found = {name for name in near if frozenset((name, f"b{name[1:]}")) in linked}
    assert len(found) >= 0.99 * len(near)
    assert all(len({name[1:] for name in pair}) == 1 for pair in linked), "unrelated documents were merged"
    for row in tables["duplicates"]:
        words, other = pairs[f"a{row['source_id'][1:]}"]
        assert row["similarity"] == jaccard(words, other, 5)


def test_exact_only_leaves_near_duplicates(spark: SparkSession) -> None:
    texts = {"a": " ".join(BASE), "b": " ".join(BASE), "c": " ".join(BASE) + "!"}
    tables = run(spark, texts, method="exact")
    check_laws(texts, tables)
    assert [row["method"] for row in tables["duplicates"]] == ["exact"]


def test_split_is_that_of_the_id_whatever_else_is_there(spark: SparkSession) -> None:
    texts = {f"d{number}": f"text number {number}" for number in range(2000)}
    config: dict[str, Any] = {"method": "exact", "validation_fraction": 0.1}
    tables = run(spark, texts, **config)
    splits = {row["source_id"]: row["split"] for row in tables["corpus"]}
    held_out = [name for name, split in splits.items() if split == "validation"]
    assert 140 <= len(held_out) <= 260  # 200 expected, 4.5 standard deviations
    half = {name: text for name, text in texts.items() if int(name[1:]) % 2}
    for row in run(spark, half, **config)["corpus"]:
        assert row["split"] == splits[row["source_id"]]
    other_seed = run(spark, half, **config, split_seed=2)["corpus"]
    assert [row["split"] for row in other_seed] != [splits[row["source_id"]] for row in other_seed]


def test_no_validation_when_the_share_is_nothing(spark: SparkSession) -> None:
    texts = {f"d{number}": f"text number {number}" for number in range(50)}
    tables = run(spark, texts, method="exact", validation_fraction=0.0)
    assert {row["split"] for row in tables["corpus"]} == {"train"}
