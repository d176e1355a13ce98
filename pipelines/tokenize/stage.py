"""The stage: `corpus` in, `tokens` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from conf.tokenize import TokenizeConfig
from pipelines.stage_output import STATISTICS_OF, Say, StageOutput
from pipelines.tokenize.audit import Audit
from pipelines.tokenize.choice import choose
from pipelines.tokenize.engine import Encoder
from pipelines.tokenize.folder import MAX_TOKENIZER_BYTES, highest_id, parse_tokenizer, read_json
from pipelines.worker import Kernel, in_warm_worker
from schemas.token_ids import binary_ids, token_bytes
from schemas.tokens import TOKENS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WRITE_SETTINGS = {
    # No two documents are alike, and nobody looks for one by its tokens: a dictionary would be given up, and
    # the range of a file's hashes is that of all.
    "parquet.enable.dictionary#input_ids": "false",
    "parquet.enable.dictionary#doc_id": "false",
    "parquet.statistics.truncate.length": "64",
    STATISTICS_OF: "num_tokens,num_bytes",
    # A call of the encoder costs as much as a few hundred documents; batches are also cut by bytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
}
"""Spark settings for writing `tokens`."""


def tokenize(corpus: DataFrame, tokenizer_json: str | Path, config: TokenizeConfig, say: Say) -> StageOutput:
    """Encodes every document.

    Text is text: where a document spells the end-of-document token, it gets the ids of those
    characters, never the token's own id.

    Args:
        corpus: Table `corpus`.
        tokenizer_json: Path of a tokenizer.json, or its content as text. The content travels to the
            executors with the task, so that they need no shared disk.
        config: The section `tokenize`.
        say: Prints which library encodes, if it is not the fast one.

    Raises:
        InputError: The tokenizer cannot be read, or not by the configured engine.
    """
    origin = str(tokenizer_json) if isinstance(tokenizer_json, Path) else "the tokenizer"
    content = (
        read_json(tokenizer_json, MAX_TOKENIZER_BYTES) if isinstance(tokenizer_json, Path) else tokenizer_json
    )
    size = token_bytes(highest_id(parse_tokenizer(content, origin)) + 1)
    engine = choose(corpus.sparkSession, content, config, say)
    columns = corpus.select("doc_id", "split", "text", "num_bytes")
    encoded = columns.mapInArrow(
        in_warm_worker(_encode_batches(content, engine, size)), TOKENS.spark_schema()
    )
    return StageOutput(tables={"tokens": encoded}, details={"engine": engine})


def _encode_batches(content: str, engine: str, size: int) -> Kernel:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        encoder = Encoder(content, engine, size)
        audit = Audit(content) if engine == "gigatoken" else None
        for batch in batches:
            ids, lengths = encoder.encode(batch.column("text"))
            if audit is not None:
                audit.see(batch.column("text"), ids, lengths)
            columns = {
                "doc_id": batch["doc_id"],
                "split": batch["split"],
                "input_ids": binary_ids(ids, lengths),
                "num_tokens": pa.array(lengths),
                "num_bytes": batch["num_bytes"],
            }
            names = list(TOKENS.column_names)
            yield pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)

    return convert
