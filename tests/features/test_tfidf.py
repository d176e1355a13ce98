"""Words and TF-IDF: what Spark ML itself computes, for any partitioning."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from pyspark.ml.feature import IDF, CountVectorizerModel
from pyspark.sql import DataFrame, SparkSession

from conf.errors import ConfigError
from conf.features import FeaturesConfig
from pipelines.errors import InputError
from pipelines.features.stage import features
from pipelines.features.tfidf import term_counts, vocabulary, weights
from pipelines.features.words import LANGUAGES, stop_words, with_words

TEXTS = {
    "a": "The ring sums the gradients; the Ring waits.",
    "b": "Gradients of the lake, and of a ring of lakes.",
    "c": "湖 und Straße, naïve café_1!",
    "d": "the of and",
    "e": "",
    "f": "sums ring lake",
}
CONFIG = FeaturesConfig(stop_words=("english",), extra_stop_words=("Und",), min_documents=1)


def corpus(spark: SparkSession, texts: dict[str, str] = TEXTS, partitions: int = 2) -> DataFrame:
    rows = spark.sparkContext.parallelize(sorted(texts.items(), reverse=partitions % 2 == 0), partitions)
    return spark.createDataFrame(rows, "doc_id string, text string")


def words_of(spark: SparkSession, config: FeaturesConfig = CONFIG) -> dict[str, list[str]]:
    return {row["doc_id"]: row["words"] for row in with_words(corpus(spark), config).collect()}


def test_words_are_split_lowered_and_freed_of_stop_words(spark: SparkSession) -> None:
    found = words_of(spark)
    assert found["a"] == ["ring", "sums", "gradients", "ring", "waits"]
    assert found["b"] == ["gradients", "lake", "ring", "lakes"]
    assert found["c"] == ["湖", "straße", "naïve", "café_1"]
    assert found["d"] == found["e"] == []


def test_characters_of_scripts_without_spaces_are_words(spark: SparkSession) -> None:
    frame = corpus(spark, {"x": "分布式训练 and ไทย"}, 1)
    (row,) = with_words(frame, FeaturesConfig()).collect()
    assert row["words"] == [*"分布式训练", *"ไทย"]


def test_a_language_without_stop_words_is_named_with_those_that_have_some(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"klingon.*english"):
        stop_words(FeaturesConfig(stop_words=("klingon",)))
    assert len(stop_words(FeaturesConfig(stop_words=LANGUAGES))) > 1000


def tables(spark: SparkSession, config: FeaturesConfig, partitions: int) -> tuple[list[Any], dict[str, Any]]:
    words = with_words(corpus(spark, TEXTS, partitions), config)
    counts = term_counts(words)
    terms = vocabulary(counts, len(TEXTS), config)
    rows = weights(words, counts, terms).collect()
    return terms.orderBy("term_id").collect(), {row["doc_id"]: row for row in rows}


def test_weights_are_those_of_spark_ml(spark: SparkSession) -> None:
    terms, found = tables(spark, CONFIG, 2)
    names = [row["term"] for row in terms]
    words = with_words(corpus(spark), CONFIG)
    counted = CountVectorizerModel.from_vocabulary(names, "words", "counts").transform(words)
    expected = IDF(inputCol="counts", outputCol="weights").fit(counted).transform(counted)
    for row in expected.collect():
        mine = found[row["doc_id"]]
        assert mine["term_ids"] == row["weights"].indices.tolist()
        assert mine["weights"] == pytest.approx(row["weights"].values.tolist(), abs=1e-12)


def test_the_vocabulary_has_the_most_frequent_terms_and_breaks_ties_by_name(spark: SparkSession) -> None:
    terms, found = tables(spark, CONFIG.model_copy(update={"vocabulary_size": 5}), 3)
    occurrences = Counter(word for words in words_of(spark).values() for word in words)
    expected = sorted(occurrences, key=lambda word: (-occurrences[word], word))[:5]
    assert [row["term"] for row in terms] == expected
    assert [row["term_id"] for row in terms] == list(range(5))
    ring = terms[0]
    assert (ring["term"], ring["num_documents"], ring["num_occurrences"]) == ("ring", 3, 4)
    assert ring["idf"] == pytest.approx(math.log(7 / 4))
    assert found["d"]["num_words"] == 0
    assert found["d"]["term_ids"] == found["d"]["weights"] == []
    assert found["c"]["num_words"] == 4


def test_no_partitioning_changes_a_row(spark: SparkSession) -> None:
    config = CONFIG.model_copy(update={"vocabulary_size": 4})
    assert tables(spark, config, 1) == tables(spark, config, 4)


def test_an_empty_corpus_is_an_error(spark: SparkSession) -> None:
    with pytest.raises(InputError, match="empty"):
        features(corpus(spark, {}, 1), CONFIG)
