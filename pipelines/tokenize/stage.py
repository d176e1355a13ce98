"""The stage: `corpus` in, `tokens` out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from conf.data import TokenizeConfig
from pipelines.stage import StageOutput
from pipelines.tokenize.folder import MAX_TOKENIZER_BYTES, parse_tokenizer, read_json
from schemas import TOKENS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SLICE_BYTES = 2**20
"""Text that the library encodes in one call: an encoding takes about 100 bytes of memory a token."""


def tokenize(corpus: DataFrame, tokenizer_json: str | Path, config: TokenizeConfig) -> StageOutput:
    """Encodes every document.

    Text is text: where a document spells the end-of-document token, it gets the ids of those
    characters, never the token's own id.

    Args:
        corpus: Table `corpus`.
        tokenizer_json: Path of a tokenizer.json, or its content as text. The content travels to the
            executors with the task, so that they need no shared disk.
        config: The section `tokenize`.

    Raises:
        InputError: The tokenizer cannot be read.
    """
    del config  # all of it went into the tokenizer
    if isinstance(tokenizer_json, Path):
        content = read_json(tokenizer_json, MAX_TOKENIZER_BYTES)
        parse_tokenizer(content, str(tokenizer_json))
    else:
        content = tokenizer_json
        parse_tokenizer(content, "the tokenizer")
    columns = corpus.select("doc_id", "split", "text", "num_bytes")
    return StageOutput(tables={"tokens": columns.mapInArrow(_encode_batches(content), TOKENS.spark_schema())})


def encode(tokenizer: Tokenizer, texts: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Token ids of all texts, one after another, and the number of each text's ids.

    Args:
        tokenizer: As `plain_tokenizer` gives it.
        texts: Strings without null.
    """
    ids, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    for part in _slices(texts):
        lists = [
            encoding.ids
            for encoding in tokenizer.encode_batch_fast(part.to_pylist(), add_special_tokens=False)
        ]
        counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        lengths.append(counts)
        ids.append(np.fromiter(chain.from_iterable(lists), dtype=np.int32, count=int(counts.sum())))
    return np.concatenate(ids), np.concatenate(lengths)


@lru_cache(maxsize=1)
def plain_tokenizer(content: str) -> Tokenizer:
    """A tokenizer to which special tokens in a text are plain characters; loaded once a process."""
    tokenizer = parse_tokenizer(content, "the tokenizer")
    tokenizer.encode_special_tokens = True
    return tokenizer


def _slices(texts: pa.Array) -> Iterator[pa.Array]:
    """Consecutive parts of about SLICE_BYTES each; a longer text is a part of its own."""
    if len(texts) == 0:
        return
    ends = np.cumsum(np.asarray(pc.binary_length(texts), dtype=np.int64))
    first = 0
    while first < len(texts):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + SLICE_BYTES, side="right")))
        yield texts.slice(first, last - first)
        first = last


def _encode_batches(content: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # Spark already runs one task a core; threads of the library's own would only compete.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        tokenizer = plain_tokenizer(content)
        for batch in batches:
            ids, lengths = encode(tokenizer, batch["text"])
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
            columns = {
                "doc_id": batch["doc_id"],
                "split": batch["split"],
                "input_ids": pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids)),
                "num_tokens": pa.array(lengths),
                "num_bytes": batch["num_bytes"],
            }
            names = list(TOKENS.column_names)
            yield pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)

    return convert
