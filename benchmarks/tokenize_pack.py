"""MB/s of text from table `corpus` to packed `sequences`, and of the two libraries that encode, alone.

python -m benchmarks tokenize_pack                          a corpus of this Python's docstrings, 10 copies
python -m benchmarks tokenize_pack --method best_fit
python -m benchmarks tokenize_pack --copies 2 --cores 1

Each library, and our encoder with it, encodes the docstrings three times in a process of its own, so that the
first pass bears what it imports and caches. For the stages, CPU time is that of the process tree, JVM and
Python workers, from the first stage's begin to the last one's end; the JVM compiles until the fifth round or
so, and the first one, which starts the workers too, is told apart. MB are 10^6 bytes of UTF-8.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.machine import describe

PLAIN_BYTES = 4_000_000
"""Text that `tokenizers` alone is measured on: it takes seconds for it."""

NUM_PASSES = 3
"""Passes over the same texts in one process: in the first a library imports and fills its caches."""

BATCH_TEXTS = 10_000
"""Texts that the stage gives the encoder at once."""


def main(argv: list[str]) -> int:
    """Measures, and prints a table or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks tokenize_pack",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--copies", type=int, default=10, help="copies of the docstrings, each with ids of its own"
    )
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--method", choices=("concat", "best_fit"), default="concat")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    machine = describe()
    texts = docstrings()
    size = sum(len(text.encode()) for text in texts)
    with tempfile.TemporaryDirectory(prefix="ringlake-tokenize-") as place:
        rounds, content = _stages(Path(place), texts, options)
    value = {
        "benchmark": "tokenize_pack",
        "machine": machine,
        "corpus_mb": size * options.copies / 1e6,
        "libraries_mb_per_cpu_second": _libraries(texts, content),
        "rounds": rounds,
    }
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else _text(value))
    return 0


def _stages(place: Path, texts: list[str], options: Any) -> tuple[list[dict[str, Any]], str]:
    from conf.pack import PackConfig
    from conf.spark import SparkConfig
    from conf.tokenize import TokenizeConfig
    from pipelines.lake import Lake, read_table, write_table
    from pipelines.pack.stage import pack, write_settings
    from pipelines.session import open_session
    from pipelines.tokenize.stage import WRITE_SETTINGS, tokenize
    from pipelines.tokenize.train import train_tokenizer

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    lake = Lake.at(place / "lake")
    spark = open_session(
        SparkConfig(master=f"local[{options.cores}]", driver_memory="3g"), "tokenize and pack"
    )
    try:
        _write_corpus(spark, lake, texts, options.copies)
        config = TokenizeConfig(vocab_size=options.vocab_size, sample_bytes=16 * 2**20)
        corpus = read_table(spark, lake, "corpus")
        info = train_tokenizer(corpus, config, place / "tokenizer", say)
        packing = PackConfig(sequence_length=1024, method=options.method)
        total = sum(len(text.encode()) for text in texts) * options.copies
        rounds = []
        for number in range(options.rounds):
            began, cpu = time.perf_counter(), tree_seconds()
            output = tokenize(corpus, info.folder / "tokenizer.json", config, say)
            write_table(spark, lake, "tokens", output.tables["tokens"], {}, WRITE_SETTINGS)
            middle, middle_cpu = time.perf_counter(), tree_seconds()
            packed = pack(read_table(spark, lake, "tokens"), packing, info.eod_id, info.vocab_size)
            write_table(spark, lake, "sequences", packed.tables["sequences"], {}, write_settings(packing))
            end, end_cpu = time.perf_counter(), tree_seconds()
            rounds.append(
                {
                    "round": number,
                    "engine": output.details["engine"],
                    "padding_tokens": packed.details["padding_tokens"],
                    "mb_per_second": total / 1e6 / (end - began),
                    "mb_per_cpu_second": total / 1e6 / (end_cpu - cpu),
                    "tokenize_cpu_seconds": middle_cpu - cpu,
                    "pack_cpu_seconds": end_cpu - middle_cpu,
                    "tokenize_seconds": middle - began,
                    "pack_seconds": end - middle,
                }
            )
        return rounds, (info.folder / "tokenizer.json").read_text()
    finally:
        spark.stop()


def _write_corpus(spark: Any, lake: Any, texts: list[str], copies: int) -> None:
    from pyspark.sql import functions as F

    from pipelines.lake import write_table
    from schemas import TABLES

    schema = TABLES["corpus"].spark_schema()
    table = pa.table({"number": pa.array(range(len(texts))), "text": pa.array(texts)})
    frame = (
        spark.createDataFrame(table)
        .repartition(8)
        .crossJoin(spark.range(copies).withColumnRenamed("id", "copy"))
    )
    frame = frame.select(
        F.md5(F.concat_ws("/", "number", "copy")).alias("doc_id"),
        F.lit("docstrings").alias("source"),
        "text",
        F.octet_length("text").cast("long").alias("num_bytes"),
        F.lit("en").alias("lang"),
        F.lit(1).cast("long").alias("cluster_size"),
        F.when(F.pmod("number", F.lit(50)) == 0, "validation").otherwise("train").alias("split"),
    )
    for field in schema.fields:
        if field.name not in frame.columns:
            frame = frame.withColumn(field.name, F.lit(None).cast(field.dataType))
    write_table(spark, lake, "corpus", frame, {})


def _libraries(texts: list[str], content: str) -> dict[str, list[float]]:
    """MB a second of CPU time in each pass over the texts, each way to encode in a process of its own."""
    few = texts[: next((n for n, end in enumerate(_ends(texts)) if end >= PLAIN_BYTES), len(texts))]
    ways = {
        "tokenizers": ("tokenizers", few, 0),
        "our encoder with tokenizers": ("ours:tokenizers", few, BATCH_TEXTS),
        "gigatoken, one call": ("gigatoken", texts, 0),
        "gigatoken, calls of 2,000 texts": ("gigatoken", texts, 2000),
        "our encoder with gigatoken": ("ours:gigatoken", texts, BATCH_TEXTS),
    }
    result = {}
    for name, (way, given, at_once) in ways.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            result[name] = pool.submit(_passes, way, given, at_once or len(given), content).result()
    return result


def _passes(way: str, texts: list[str], at_once: int, content: str) -> list[float]:
    """MB a second of CPU time in each pass, `at_once` texts a call; the tokenizer is loaded before."""
    from pipelines.tokenize.engine import Encoder, fast_tokenizer, plain_tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    column = pa.array(texts)
    encoder = Encoder(content, way.removeprefix("ours:"), 2)
    plain, fast = plain_tokenizer(content), fast_tokenizer(content)
    calls: dict[str, Callable[[int], object]] = {
        "tokenizers": lambda low: plain.encode_batch_fast(
            texts[low : low + at_once], add_special_tokens=False
        ),
        "gigatoken": lambda low: fast.encode_batch(texts[low : low + at_once], parallel=False),
    }
    if way not in calls:
        calls[way] = lambda low: encoder.encode(column.slice(low, at_once))
    call = calls[way]
    size, rates = sum(len(text.encode()) for text in texts) / 1e6, []
    for _ in range(NUM_PASSES):
        began = time.process_time()
        for low in range(0, len(texts), at_once):
            call(low)
        rates.append(size / (time.process_time() - began))
    return rates


def _ends(texts: list[str]) -> list[int]:
    total, ends = 0, []
    for text in texts:
        total += len(text.encode())
        ends.append(total)
    return ends


def tree_seconds() -> float:
    """CPU time of this process and all below it, those that ended included, in seconds (Linux)."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total, left = 0.0, [os.getpid()]
    while left:
        process = left.pop()
        total += used.get(process, 0.0)
        left += parents.get(process, [])
    return total


def docstrings() -> list[str]:
    """The docstrings of this Python and of what is installed in it, each once."""
    import ast
    import sysconfig

    found: dict[str, None] = {}
    for root in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")):
        for path in sorted(Path(root).rglob("*.py")):
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (OSError, SyntaxError, ValueError, RecursionError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    text = ast.get_docstring(node)
                    if text and len(text) > 60 and _is_utf8(text):
                        found[text] = None
    return list(found)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _text(value: dict[str, Any]) -> str:
    lines = [f"{'MB a CPU second, pass':34}" + "".join(f"{number:>8}" for number in range(1, NUM_PASSES + 1))]
    lines += [
        f"{name:34}" + "".join(f"{rate:8.1f}" for rate in rates)
        for name, rates in value["libraries_mb_per_cpu_second"].items()
    ]
    lines.append(f"corpus to sequences, {value['corpus_mb']:.0f} MB; the first round warms up")
    for each in value["rounds"]:
        tokenized, packed = each["tokenize_cpu_seconds"], each["pack_cpu_seconds"]
        lines.append(
            f"round {each['round']}, {each['engine']}: {each['mb_per_second']:.1f} MB/s, "
            f"{each['mb_per_cpu_second']:.1f} MB a CPU second (tokenize {tokenized:.1f} s, "
            f"pack {packed:.1f} s), padding {each['padding_tokens']}"
        )
    return "\n".join([*lines, json.dumps(value["machine"])]) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
