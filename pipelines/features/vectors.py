"""Vectors of words or of the tokenizer's tokens by Spark ML's Word2Vec.

Skip-gram with hierarchical softmax: Mikolov et al. 2013, "Distributed Representations of Words and Phrases
and their Compositionality" (arXiv 1310.4546).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.ml.feature import Word2Vec
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F

from conf.features import FeaturesConfig
from pipelines.errors import InputError
from schemas.token_ids import flat_ids, tokens_of_examples
from training.facts import LEARNS_TOKENS, TARGET

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def train_vectors(sentences: DataFrame, config: FeaturesConfig) -> DataFrame:
    """The rows of table `vectors`.

    With one partition the sentences are read in the order of doc_id by one task, so that the same corpus
    gives the same vectors. Several partitions are faster and differ a little from run to run: their sums
    are added in the order in which they arrive.

    Args:
        sentences: Columns doc_id and units (array of strings).
        config: The section `features`.

    Raises:
        InputError: No unit occurs `features.min_count` times.
    """
    often = (
        sentences.select(F.explode("units").alias("unit"))
        .groupBy("unit")
        .count()
        .where(F.col("count") >= config.min_count)
    )
    if often.isEmpty():
        raise InputError(
            f"no {config.unit} of the corpus occur features.min_count = {config.min_count} times; lower it"
        )
    ordered = sentences.repartition(config.partitions, "doc_id").sortWithinPartitions("doc_id")
    model = Word2Vec(
        vectorSize=config.vector_size,
        windowSize=config.window,
        minCount=config.min_count,
        numPartitions=config.partitions,
        maxIter=config.iterations,
        seed=config.seed,
        inputCol="units",
        outputCol="unused",
    ).fit(ordered)
    return model.getVectors().select(
        F.col("word").alias("term"), vector_to_array(F.col("vector"), "float32").alias("vector")
    )


def token_sentences(tokens: DataFrame, token_bytes: int, task: Mapping[str, Any] | None = None) -> DataFrame:
    """(doc_id, units): the token ids of each training document as strings.

    Of pairs whose targets have a vocabulary of their own, those of the texts alone: the numbers of the others
    would mean something else.

    Args:
        tokens: Columns doc_id, split and input_ids, as table `tokens` has them.
        token_bytes: Bytes of a stored token id.
        task: What tokenizing noted of the examples of a task: their ids have marks, and learned ones may
            be numbers of something else than tokens; None: they are texts.
    """
    learns_tokens = task is not None and bool(task[LEARNS_TOKENS]) and task.get(TARGET) is None

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids, lengths = flat_ids(batch.column("input_ids"), token_bytes)
            if task is not None:
                ids, lengths = tokens_of_examples(ids, lengths, learns_tokens=learns_tokens)
            offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
            units = pa.ListArray.from_arrays(offsets, pa.array(ids).cast(pa.string()))
            yield pa.RecordBatch.from_arrays([batch.column("doc_id"), units], names=["doc_id", "units"])

    train = tokens.where("split = 'train'").select("doc_id", "input_ids")
    return train.mapInArrow(convert, "doc_id string, units array<string>")
