"""Unigram and bigram models of the training tokens, scored on the validation tokens, in Spark.

They predict exactly the targets that the neural model predicts: in each sequence the tokens at
positions 1 to num_tokens-1, the bigram from the token before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.stage_output import release
from schemas.token_ids import flat_ids, token_bytes

DISCOUNT = 0.75
"""What a pair's count in other text of the same kind is lower by, measured on 22 million words each (Church
and Gale, "A comparison of the enhanced Good-Turing and deleted estimation methods for estimating
probabilities of English bigrams", Computer Speech and Language 5, 1991)."""


@dataclass(frozen=True)
class Baseline:
    """A baseline's score on the validation split.

    Attributes:
        name: 'unigram' or 'bigram'.
        nats: Sum of -ln p over all targets.
        targets: Number of targets; 0 where each validation sequence is a single token.
    """

    name: str
    nats: float
    targets: int


def baselines(sequences: DataFrame, vocab_size: int) -> list[Baseline]:
    """Both baselines, trained on the rows of split 'train' and scored on those of 'validation'.

    Unigram: add-one smoothing. Bigram: interpolated Kneser-Ney (Kneser & Ney 1995; Chen & Goodman
    1999, section 2.7) with the discount D = n1 / (n1 + 2 n2) of Ney et al. 1994, which is `DISCOUNT` where
    no pair occurs just once, and add-one smoothing of the continuation counts, so that every token has a
    probability above zero.

    Args:
        sequences: Columns split, input_ids, num_tokens.
        vocab_size: Number of tokens that could occur.
    """
    train = pair_counts(sequences.where("split = 'train'"), vocab_size).persist()
    validation = pair_counts(sequences.where("split = 'validation'"), vocab_size).persist()
    try:
        return [_unigram(train, validation, vocab_size), _bigram(train, validation, vocab_size)]
    finally:
        release(train, validation)


def pair_counts(sequences: DataFrame, vocab_size: int) -> DataFrame:
    """How often each token follows each other: columns previous, token, n (all long)."""
    size = token_bytes(vocab_size)
    counted = sequences.select("input_ids", "num_tokens").mapInArrow(
        lambda batches: _count_pairs(batches, size), "previous bigint, token bigint, n bigint"
    )
    return counted.groupBy("previous", "token").agg(F.sum("n").alias("n"))


def _count_pairs(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ids, lengths = flat_ids(batch.column("input_ids"), size)
        flat = ids.astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        position = np.arange(flat.size) - np.repeat(offsets[:-1], lengths)
        limit = np.repeat(batch.column("num_tokens").to_numpy(), lengths)
        targets = np.flatnonzero((position > 0) & (position < limit))
        # Token ids fit in 32 bits, so a pair fits in one 64-bit number.
        pairs, counts = np.unique((flat[targets - 1] << 32) | flat[targets], return_counts=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array(pairs >> 32), pa.array(pairs & 0xFFFFFFFF), pa.array(counts.astype(np.int64))],
            names=["previous", "token", "n"],
        )


def _unigram(train: DataFrame, validation: DataFrame, vocab_size: int) -> Baseline:
    counts = train.groupBy("token").agg(F.sum("n").alias("count"))
    total = _scalar(counts, F.sum("count"))
    probability = (F.coalesce("count", F.lit(0)) + 1) / F.lit(total + vocab_size)
    scored = validation.join(F.broadcast(counts), "token", "left")
    return _score("unigram", scored.withColumn("p", probability))


def _bigram(train: DataFrame, validation: DataFrame, vocab_size: int) -> Baseline:
    once = _scalar(train, F.sum(F.when(F.col("n") == 1, 1)))
    twice = _scalar(train, F.sum(F.when(F.col("n") == 2, 1)))
    # Without pairs that occur once the estimate is 0, and what was never seen would be impossible.
    discount = once / (once + 2 * twice) if once else DISCOUNT
    contexts = train.groupBy("previous").agg(F.sum("n").alias("context"), F.count("*").alias("followers"))
    continuations = train.groupBy("token").agg(F.count("*").alias("histories"))
    types = _scalar(train, F.count("*"))
    scored = (
        validation.withColumnRenamed("n", "m")
        .join(train, ["previous", "token"], "left")
        .join(F.broadcast(contexts), "previous", "left")
        .join(F.broadcast(continuations), "token", "left")
    )
    continuation = (F.coalesce("histories", F.lit(0)) + 1) / F.lit(types + vocab_size)
    seen = F.greatest(F.coalesce("n", F.lit(0)) - F.lit(discount), F.lit(0.0)) / F.col("context")
    backoff = F.lit(discount) * F.col("followers") / F.col("context")
    probability = F.when(F.col("context").isNull(), continuation).otherwise(seen + backoff * continuation)
    return _score("bigram", scored.withColumn("p", probability).withColumn("n", F.col("m")))


def _score(name: str, scored: DataFrame) -> Baseline:
    impossible = F.sum(F.when(F.col("p") > 0, 0).otherwise(F.col("n"))).alias("impossible")
    nats = F.sum(-F.col("n") * F.log("p")).alias("nats")
    row = scored.agg(nats, F.sum("n").alias("targets"), impossible).first()
    assert row is not None
    if row["impossible"]:
        # SQL has no logarithm of 0: its null would leave these targets out of the sum.
        raise ValueError(
            f"the {name} baseline gives {row['impossible']} of {row['targets']} targets no probability"
        )
    return Baseline(name=name, nats=float(row["nats"] or 0.0), targets=int(row["targets"] or 0))


def _scalar(frame: DataFrame, aggregate: object) -> int:
    row = frame.agg(aggregate).first()  # type: ignore[arg-type]
    return int(row[0] or 0) if row is not None else 0
