"""Equal texts: grouped by a cryptographic hash of their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def content_hash(text: Column) -> Column:
    """SHA-256 of the UTF-8 bytes, 32 bytes.

    Texts come from strangers, so a hash is wanted for which nobody can make two texts that collide
    (FIPS 180-4); then equal hashes mean equal texts and the texts themselves need not be compared.
    """
    return F.unhex(F.sha2(text.cast("binary"), 256))


def with_representative(documents: DataFrame) -> DataFrame:
    """Adds `representative`: the smallest doc_id among the documents of equal content.

    A document that an earlier batch has stands for itself: it counts as it was then.

    Args:
        documents: Columns doc_id, content and is_known, and any others.
    """
    same_text = Window.partitionBy("content")
    new = F.when(~F.col("is_known"), F.col("doc_id"))
    representative = F.when(F.col("is_known"), F.col("doc_id")).otherwise(F.min(new).over(same_text))
    return documents.withColumn("representative", representative)
