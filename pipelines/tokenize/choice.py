"""Which library encodes: gigatoken where it proves to give the ids of `tokenizers`."""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf.tokenize import TokenizeConfig
from pipelines.errors import InputError
from pipelines.stage_output import Say
from pipelines.tokenize.audit import compare
from pipelines.tokenize.engine import assigned, fast_tokenizer, is_failure, plain_tokenizer
from pipelines.worker import in_warm_worker

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_STRIDE = 16
"""Of the characters of one category that follow each other, the first, the last and every 16th is tried; of
letters without case, which are many, every 256th."""


def choose(spark: SparkSession, content: str, config: TokenizeConfig, say: Say) -> str:
    """The engine for a tokenizer: as configured, or gigatoken if it knows it and gives equal ids to a probe.

    Both libraries encode the probe of hostile texts in a task of Spark: a library that crashes ends a task,
    not the driver. Whether the ids of the corpus are equal, an `Audit` watches while it is encoded.

    Raises:
        InputError: `tokenize.engine` is gigatoken, but it gives other ids or cannot be used.
    """
    if config.engine == "tokenizers":
        return "tokenizers"
    fault = _fault(spark, content)
    if fault is None:
        return "gigatoken"
    return without_gigatoken(config, fault, say).engine


def without_gigatoken(config: TokenizeConfig, fault: str, say: Say) -> TokenizeConfig:
    """The configuration with the other library, which a line tells of.

    Args:
        config: The section `tokenize`, whose engine is not `tokenizers`.
        fault: Why gigatoken cannot encode.
        say: Prints the line.

    Raises:
        InputError: `tokenize.engine` is gigatoken: it is not replaced.
    """
    if config.engine == "gigatoken":
        raise InputError(f"tokenize.engine = gigatoken cannot be used: {fault}; set it to auto or tokenizers")
    say(f"tokenizer: tokenizers encodes, not gigatoken {version('gigatoken')}: {fault}")
    return config.model_copy(update={"engine": "tokenizers"})


def probe_texts(content: str) -> list[str]:
    """Texts that libraries may disagree about: every kind of character, white space, special tokens."""
    codes = np.fromiter(_characters(), np.uint32)
    chars = map(chr, codes[assigned(codes)].tolist())
    texts = [f"a{char}b {char} 1{char}'s{char}\n" for char in chars]
    names = [token.content for token in plain_tokenizer(content).get_added_tokens_decoder().values()]
    texts += [f"{a}{name}{b}" for name in names for a in ("", "a", " ") for b in ("", "b", " ")]
    texts += ["", " ", "\n\n \n", " \u00a0\u2003x", "\r\n\r\n", "\x00", "\ufeffx", "a\u0300" * 50, "🙂" * 100]
    texts += ["日本語" * 30, "'S'Ll'RE don't", "x" * 20_000, " " * 20_000, "\u200d\u200c", "٣４5", "ſ's K's"]
    draw = random.Random(1)
    pool = [char for text in texts for char in text if char not in "x"][:: max(1, len(texts) // 500)]
    texts += ["".join(draw.choices([*pool, *" \n\t'stx1.ré"], k=draw.randrange(60))) for _ in range(2000)]
    return texts


def _characters() -> Iterator[int]:
    last = None
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code <= 0xDFFF:
            last = None
            continue
        category = unicodedata.category(chr(code))
        following = unicodedata.category(chr(code + 1)) if code < sys.maxunicode else None
        # Long runs are scripts of thousands of characters, which the libraries treat alike.
        stride = 16 * _STRIDE if category in ("Lo", "Co", "Cn") else _STRIDE
        if category != last or category != following or code % stride == 0:
            yield code
        last = category


def _fault(spark: SparkSession, content: str) -> str | None:
    try:
        fast_tokenizer(content)
    except BaseException as error:
        if not is_failure(error):
            raise
        return f"it cannot load this tokenizer ({_line(error)})"

    def try_probe(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            text = compare(content, pa.array(probe_texts(content), pa.string()))
            if text is not None:
                yield pa.RecordBatch.from_arrays([pa.array([text], pa.string())], names=["text"])

    try:
        row = spark.range(0, 1, 1, 1).mapInArrow(in_warm_worker(try_probe), "text string").first()
        if row is not None:
            return f"it gives other ids to a text of the probe ({row['text'][:60]!r})"
    except Exception as error:  # noqa: BLE001 - whatever ended the task, the other library is there
        return f"it failed while it was compared ({_line(error)})"
    return None


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:300]
