"""TF-IDF: the vocabulary of a corpus, and the weight of each of its terms in each document.

Weights are those of Spark ML's CountVectorizer and IDF. Its fitting is not used: among terms of equal
frequency it keeps whichever a partition happened to hold first, so that the vocabulary would depend on the
partitioning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from conf.features import FeaturesConfig

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def vocabulary(counts: DataFrame, num_documents: int, config: FeaturesConfig) -> DataFrame:
    """The rows of table `terms`.

    Args:
        counts: What `term_counts` returned.
        num_documents: Documents of the corpus.
        config: The section `features`.
    """
    totals = (
        counts.groupBy("term")
        .agg(F.count("*").alias("num_documents"), F.sum("occurrences").alias("num_occurrences"))
        .where(F.col("num_documents") >= config.min_documents)
        .orderBy(F.desc("num_occurrences"), "term")
        .limit(config.vocabulary_size)
    )
    order = Window.orderBy(F.desc("num_occurrences"), F.col("term"))
    return totals.select(
        (F.row_number().over(order) - 1).alias("term_id"),
        "term",
        "num_documents",
        "num_occurrences",
        F.log(F.lit(num_documents + 1.0) / (F.col("num_documents") + 1)).alias("idf"),
    )


def term_counts(words: DataFrame) -> DataFrame:
    """(doc_id, term, occurrences) for each word of each document."""
    return (
        words.select("doc_id", F.explode("words").alias("term"))
        .groupBy("doc_id", "term")
        .agg(F.count("*").alias("occurrences"))
    )


def weights(words: DataFrame, counts: DataFrame, terms: DataFrame) -> DataFrame:
    """The rows of table `tfidf`: every document, also one without any known term.

    Args:
        words: Columns doc_id and words.
        counts: What `term_counts` made of them.
        terms: The vocabulary; it fits the memory of an executor.
    """
    weight = F.struct("term_id", (F.col("occurrences") * F.col("idf")).alias("weight"))
    of_document = (
        counts.join(F.broadcast(terms.select("term", "term_id", "idf")), "term")
        .groupBy("doc_id")
        .agg(F.array_sort(F.collect_list(weight)).alias("found"))
    )
    sizes = words.select("doc_id", F.size("words").cast("long").alias("num_words"))
    return sizes.join(of_document, "doc_id", "left").select(
        "doc_id",
        "num_words",
        F.coalesce("found.term_id", F.array().cast("array<int>")).alias("term_ids"),
        F.coalesce("found.weight", F.array().cast("array<double>")).alias("weights"),
    )
