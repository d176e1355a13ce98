"""MinHash signatures by part, in megabytes of text for each second of one core, without Spark.

`python -m benchmarks signatures FILE.jsonl` reads up to 32 MB of texts from the field `text`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.dedup.minhash import MinHash
from pipelines.text.lowered import lowered

MAX_BYTES = 32_000_000


def main(argv: list[str]) -> int:
    """Prints a line for each part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks signatures", description=__doc__)
    parser.add_argument("file", type=Path, help="JSONL with a field text")
    parser.add_argument("--unit", choices=("words", "characters"), default="words")
    options = parser.parse_args(argv)
    texts = pa.array(_texts(options.file), pa.string())
    one, default = MinHash(5, 1, 1, 1, options.unit), MinHash(5, 14, 8, 1, options.unit)
    megabytes = texts.nbytes / 1e6
    print(f"{len(texts):,} texts, {megabytes:.1f} MB")
    parts: dict[str, Callable[[], object]] = {
        "lower case": lambda: lowered(texts),
        "and items, shingles, 1 permutation": lambda: one.keys(texts),
        "and 112 permutations in 14 bands": lambda: default.keys(texts),
    }
    for name, part in parts.items():
        part()
        seconds = min(_seconds(part) for _ in range(3))
        print(f"{name:36} {megabytes / seconds:7.1f} MB/s of one core")
    return 0


def _texts(file: Path) -> Iterator[str]:
    size = 0
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            size += len(text.encode())
            if size > MAX_BYTES:
                return
            yield text


def _seconds(part: Callable[[], object]) -> float:
    """Processor time: it does not count what other processes did meanwhile."""
    began = time.process_time()
    part()
    return time.process_time() - began
