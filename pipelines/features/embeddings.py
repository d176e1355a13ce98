"""Vectors of tokens as the rows of a model's embedding table, in a safetensors file."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from safetensors.numpy import save

from pipelines.errors import InputError
from training.models.embeddings import EMBEDDING, KNOWN


def embedding_file(vectors: pa.Table, vocab_size: int) -> tuple[str, bytes]:
    """A file's name, which follows from its content, and the content.

    Args:
        vectors: Table `vectors` of tokens: term (a token id as text) and vector.
        vocab_size: Rows of the embedding table.

    Returns:
        Name and bytes; the file holds `embedding`, float32 of shape (vocab_size, vector_size), and `known`,
        uint8 of shape (vocab_size,): whether a token has a vector.

    Raises:
        InputError: A token id is not below vocab_size.
    """
    ids = np.array([int(term) for term in vectors["term"].to_pylist()], dtype=np.int64)
    if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < vocab_size):
        raise InputError(
            f"the vectors have token ids {int(ids.min())} to {int(ids.max())}, but the tokenizer has "
            f"{vocab_size} entries; run the stage features again"
        )
    rows = vectors["vector"].combine_chunks()
    size = len(rows.flatten()) // max(1, len(ids))
    embedding = np.zeros((vocab_size, size), dtype=np.float32)
    embedding[ids] = np.asarray(rows.flatten(), dtype=np.float32).reshape(-1, size)
    known = np.zeros(vocab_size, dtype=np.uint8)
    known[ids] = 1
    content = save({EMBEDDING: embedding, KNOWN: known})
    return f"{hashlib.sha256(content).hexdigest()[:16]}.safetensors", content
