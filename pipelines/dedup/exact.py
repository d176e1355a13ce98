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

    Args:
        documents: Columns doc_id and content, and any others.
    """
    same_text = Window.partitionBy("content")
    return documents.withColumn("representative", F.min("doc_id").over(same_text))
