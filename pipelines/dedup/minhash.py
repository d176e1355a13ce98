"""MinHash signatures of documents, reduced to one 64-bit key a band, inside `mapInArrow`.

MinHash: Broder, "On the resemblance and containment of documents", 1997. Banding: Leskovec, Rajaraman
and Ullman, "Mining of Massive Datasets", section 3.4: documents of Jaccard similarity s share a key
with probability 1 - (1 - s^rows)^bands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql.types import ArrayType, LongType, StructField, StructType

from pipelines.text.characters import character_classes
from pipelines.text.lowered import lowered
from pipelines.text.shingles import U64, band_keys, jaccard
from pipelines.worker import Kernel, in_warm_worker
from ringlake.base.seeds import derive_seed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Unit = Literal["words", "characters"]


@dataclass(frozen=True)
class MinHash:
    """The family of hash functions and how it is banded.

    Permutation k maps a shingle's 64-bit hash x to a_k * x + b_k modulo 2^64 with an odd a_k, which is
    a bijection; x itself is mixed (`shingles`). All a_k and b_k follow from the seed.

    Attributes:
        ngram: Words, or characters, in a shingle.
        bands: Bands.
        rows: MinHash values in a band.
        seed: Seed of the permutations.
        unit: What a shingle is made of.
    """

    ngram: int
    bands: int
    rows: int
    seed: int
    unit: Unit = "words"

    def permutations(self) -> tuple[U64, U64]:
        """All a_k and all b_k, uint64 of shape (bands * rows,) each."""
        numbers = range(self.bands * self.rows)
        multipliers = np.array([derive_seed(self.seed, k, 0) | 1 for k in numbers], dtype=np.uint64)
        increments = np.array([derive_seed(self.seed, k, 1) for k in numbers], dtype=np.uint64)
        return multipliers, increments

    def keys(self, texts: pa.Array) -> tuple[U64, npt.NDArray[np.int64]]:
        """Band keys, uint64 of shape (texts, bands), and shingles of each text, int64 of shape (texts,)."""
        data, offsets = lowered(texts)
        characters = self.unit == "characters"
        classes = character_classes()
        return band_keys(data, offsets, classes, self.ngram, characters, *self.permutations(), self.bands)


def similarities(
    texts: pa.Array, others: pa.Array, ngram: int, unit: Unit = "words"
) -> npt.NDArray[np.float64]:
    """Jaccard similarity of the shingle sets of each text and the other one in its row."""
    return jaccard(*lowered(texts), *lowered(others), character_classes(), ngram, unit == "characters")


def with_keys(documents: DataFrame, family: MinHash) -> DataFrame:
    """Replaces `text` by `keys`: its band keys (array of long), empty if the text has no word.

    A key has its band mixed in, so that it alone names the bucket.

    Args:
        documents: Column text and any others.
        family: The hash functions.
    """
    others = [field for field in documents.schema.fields if field.name != "text"]
    schema = StructType([*others, StructField("keys", ArrayType(LongType(), False), False)])
    return documents.mapInArrow(_key_batches(family), schema)


def _key_batches(family: MinHash) -> Kernel:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            keys, counts = family.keys(batch["text"])
            kept = keys[counts > 0].reshape(-1).view(np.int64)
            ends = np.cumsum(np.where(counts > 0, family.bands, 0))
            offsets = np.concatenate([[0], ends]).astype(np.int32)
            lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(kept))
            names = [name for name in batch.schema.names if name != "text"]
            columns = [batch[name] for name in names]
            yield pa.RecordBatch.from_arrays([*columns, lists], names=[*names, "keys"])

    return in_warm_worker(convert)
