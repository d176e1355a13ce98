"""Train or validation, by a hash of the cluster's survivor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

TRAIN, VALIDATION = "train", "validation"

PARTS = 10**12
"""The share of validation is counted in these parts, in integers: no rounding can move a document."""


def split_of(kept_doc_id: Column, validation_fraction: float, seed: int) -> Column:
    """The split of a cluster: that of its survivor's id, whatever else is in the corpus.

    The hash is Spark's xxhash64 of (doc_id, seed): a document keeps its split when others come or go.

    Args:
        kept_doc_id: The survivor's doc_id.
        validation_fraction: Expected share of clusters held out, 0 to 1.
        seed: Seed of the choice.
    """
    held_out = round(validation_fraction * PARTS)
    part = F.pmod(F.xxhash64(kept_doc_id, F.lit(seed).cast("long")), F.lit(PARTS).cast("long"))
    return F.when(part < F.lit(held_out).cast("long"), VALIDATION).otherwise(TRAIN)
