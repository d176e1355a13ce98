"""The stage: `corpus` and `tokens` in, `terms`, `tfidf` and `vectors` out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel

from conf.features import FeaturesConfig
from pipelines.errors import InputError
from pipelines.features.tfidf import term_counts, vocabulary, weights
from pipelines.features.vectors import train_vectors
from pipelines.features.words import with_words
from pipelines.stage_output import StageOutput, release
from schemas.features import TERMS, TFIDF, VECTORS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def features(corpus: DataFrame, config: FeaturesConfig, tokens: DataFrame | None = None) -> StageOutput:
    """Words, TF-IDF and vectors of a corpus.

    Vectors of words are trained on the words without stop words. The vectors are trained in this call: Spark
    ML's Word2Vec keeps all of them in the driver's memory, 8 bytes a number.

    Args:
        corpus: Table `corpus`, or any DataFrame with doc_id and text.
        config: The section `features`.
        tokens: (doc_id, units) of the tokenizer's ids, where `config.unit` is 'tokens'.

    Raises:
        ConfigError: There are no stop words for a language.
        InputError: The corpus is empty, or no word or token occurs often enough for a vector.
    """
    words = with_words(corpus, config).persist(StorageLevel.DISK_ONLY)
    num_documents = words.count()
    if not num_documents:
        release(words)
        raise InputError("there is no document to make features of: the corpus is empty")
    counts = term_counts(words)
    terms = vocabulary(counts, num_documents, config).localCheckpoint(eager=False)
    sentences = words.withColumnRenamed("words", "units") if tokens is None else tokens
    try:
        vectors = train_vectors(sentences, config)
    except BaseException:
        release(words)
        raise
    return StageOutput(
        tables={TERMS.name: terms, TFIDF.name: weights(words, counts, terms), VECTORS.name: vectors},
        shared=(words,),
        details={"unit": config.unit, "vector_size": config.vector_size},
    )
