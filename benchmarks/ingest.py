"""`python -m benchmarks ingest [INPUT ...]`: what reading costs in one process, without Spark.

CPU time and not wall time, so that a busy machine tells about the same; the best of three passes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from benchmarks.machine import describe
from conf.ingest import IngestConfig
from pipelines.ingest.discover import discover
from pipelines.ingest.parts import parts_of
from pipelines.ingest.stage import read_parts

PASSES = 3


def main(argv: list[str]) -> int:
    """Reads the inputs, by default this Python's documentation, and prints CPU seconds, MB/s and rows/s."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ingest")
    parser.add_argument(
        "inputs", nargs="*", help="files, folders or globs; none: this Python's documentation"
    )
    parser.add_argument("--format", default=None, help="as ingest.format")
    parser.add_argument("--files", type=int, default=0, help="read so many files only, evenly spread")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    wanted = given.format or ("auto" if given.inputs else "python-docs")
    config = IngestConfig.model_validate({"inputs": given.inputs, "format": wanted})
    files = discover(config)
    if given.files:
        files = files[:: max(1, len(files) // given.files)]
    parts = [part for file in files for part in parts_of(file, config)]
    megabytes = sum(file.num_bytes for file in files) / 1e6
    seconds, rows = [], 0
    for _ in range(PASSES):
        before = time.process_time()
        rows = sum(batch.num_rows for batch in read_parts(parts, config))
        seconds.append(time.process_time() - before)
    best = min(seconds)
    result = {
        "files": len(files),
        "mb": round(megabytes, 1),
        "rows": rows,
        "cpu_seconds": round(best, 3),
        "mb_per_cpu_second": round(megabytes / best, 1),
        "rows_per_cpu_second": round(rows / best),
    }
    if given.json:
        print(json.dumps(result | {"machine": describe()}))
    else:
        print(", ".join(f"{name} {value:,}" for name, value in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
