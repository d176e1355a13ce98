"""What the driver keeps of a corpus of terabytes: seconds and memory of its parts, on synthetic metadata.

python -m benchmarks metadata                        0.1, 1 and 10 TB of JSON Lines; some minutes, no Spark
python -m benchmarks metadata --terabytes 0.001      takes seconds
python -m benchmarks metadata --parts layout buckets

The code is the real one, the metadata are made: sparse files of the right length, a Delta log, sums of
buckets, arrays of row groups. Each measurement runs in a process of its own, and its memory is what the peak
of that process rose by. Footers cannot be had without files: some hundred real ones are read, and the row
says how long all of them would take.

Assumed: 100 MB an input file, 0.3 tokens a byte of JSON Lines (`--tokens-per-byte`), 2% validation, 256
tokens a sequence, and everything else at its default.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus
from benchmarks.machine import describe

FILE_BYTES = 100 * 10**6
TOKENS_PER_BYTE = 0.3
VALIDATION = 0.02
SAMPLE_FOOTERS = 200

Made = tuple[Callable[[], dict[str, Any]], int]
"""What is measured, which gives further figures, and how many items it works on."""


def main(argv: list[str]) -> int:
    """Measures each part at each size, a process each, and prints a table or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks metadata",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--terabytes", type=float, nargs="+", default=[0.1, 1, 10], help="10^12 bytes each")
    parser.add_argument("--tokens-per-byte", type=float, default=TOKENS_PER_BYTE)
    parser.add_argument("--parts", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.alone:
        found = measure(options.parts[0], options.terabytes[0], options.tokens_per_byte)
        sys.stdout.write(json.dumps(found) + "\n")
        return 0
    machine = describe()
    rows = [
        apart(part, size, options.tokens_per_byte) for part in options.parts for size in options.terabytes
    ]
    value = {"benchmark": "metadata", "rows": rows, "machine": machine}
    sys.stdout.write(json.dumps(value) + "\n" if options.json else text(value))
    return 0


def apart(part: str, terabytes: float, tokens_per_byte: float) -> dict[str, Any]:
    """One measurement in a process of its own.

    Raises:
        RuntimeError: It failed; its messages are above.
    """
    command = [sys.executable, "-m", "benchmarks", "metadata", "--alone", "--parts", part]
    command += ["--terabytes", repr(terabytes), "--tokens-per-byte", repr(tokens_per_byte)]
    environment = os.environ | {"PYTHONPATH": str(corpus.ROOT)}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, cwd=corpus.ROOT, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{part} at {terabytes:g} TB ended with exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(part: str, terabytes: float, tokens_per_byte: float) -> dict[str, Any]:
    """Seconds, memory and items of a part in this process."""
    with tempfile.TemporaryDirectory(prefix="ringlake-metadata-") as folder:
        work, items = PARTS[part](Path(folder), int(terabytes * 1e12), tokens_per_byte)
        before = _peak()
        began = time.perf_counter()
        more = work()
        seconds = time.perf_counter() - began
        memory = max(0, _peak() - before)
    return {
        "part": part,
        "terabytes": terabytes,
        "items": items,
        "seconds": seconds,
        "memory_bytes": memory,
    } | more


def _peak() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _sequences(num_bytes: int, tokens_per_byte: float) -> int:
    from conf.pack import PackConfig

    return max(1, int(num_bytes * tokens_per_byte * (1 - VALIDATION)) // PackConfig().sequence_length)


def discovery(folder: Path, num_bytes: int, _tokens_per_byte: float) -> Made:
    """List the input files, hash what they are, cut them into parts, spread the parts over tasks."""
    from conf.ingest import IngestConfig
    from pipelines.ingest.discover import discover, fingerprint
    from pipelines.ingest.parts import parts_of
    from pipelines.ingest.stage import _num_tasks, _row_of, bin_by_size

    count = max(1, num_bytes // FILE_BYTES)
    for number in range(count):
        place = folder / f"{number // 1000:05d}"
        if number % 1000 == 0:
            place.mkdir()
        with (place / f"{number:07d}.jsonl").open("wb") as file:
            # Sparse: it has the length and no content.
            file.truncate(min(FILE_BYTES, num_bytes))
    config = IngestConfig(inputs=[str(folder)], format="jsonl")

    def work() -> dict[str, Any]:
        files = discover(config)
        fingerprint(files)
        parts = [part for file in files for part in parts_of(file, config)]
        bins = bin_by_size(parts, _num_tasks(parts, 400))
        largest = max(len(pickle.dumps([_row_of(part) for part in content])) for content in bins)
        return {"parts": len(parts), "tasks": len(bins), "largest_task_bytes": largest}

    return work, count


def log(folder: Path, num_bytes: int, _tokens_per_byte: float) -> Made:
    """Read a Delta log with as many files as ingest has tasks: the table's rows, and its active files."""
    from pipelines.lake import Catalog, Lake

    files = max(1, num_bytes // (64 * 2**20))
    lake = Lake.at(folder)
    lake.create()
    place = Path(lake.table("sequences")) / "_delta_log"
    place.mkdir(parents=True)
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in (("split", "string"), ("sequence_id", "long"), ("num_tokens", "integer"))
    ]
    schema = json.dumps({"type": "struct", "fields": fields})
    described = {"id": "0" * 32, "format": {"provider": "parquet", "options": {}}, "schemaString": schema}
    with (place / f"{0:020d}.json").open("w", encoding="utf-8") as out:
        for action in (
            {"commitInfo": {"timestamp": 0, "operation": "WRITE", "userMetadata": "{}"}},
            {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
            {"metaData": described | {"partitionColumns": ["split"], "configuration": {}, "createdTime": 0}},
        ):
            out.write(json.dumps(action) + "\n")
        for number in range(files):
            out.write(json.dumps({"add": _added(number)}) + "\n")
    catalog = Catalog(lake)

    def work() -> dict[str, Any]:
        rows = catalog.info("sequences").rows
        found = catalog.active_files("sequences", 0, {"split": "train"})
        assert rows == 8192 * len(found)
        return {"log_bytes": (place / f"{0:020d}.json").stat().st_size}

    return work, files


def _added(number: int) -> dict[str, Any]:
    first = number * 8192
    least, greatest = ({"sequence_id": first + more, "num_tokens": 256} for more in (0, 8191))
    nulls = {"sequence_id": 0, "num_tokens": 0}
    stats = {"numRecords": 8192, "minValues": least, "maxValues": greatest, "nullCount": nulls}
    return {
        "path": f"split=train/part-{number:05d}-{number:032x}.c000.snappy.parquet",
        "partitionValues": {"split": "train"},
        "size": 64 * 2**20,
        "modificationTime": 0,
        "dataChange": True,
        "stats": json.dumps(stats),
    }


def buckets(_folder: Path, num_bytes: int, tokens_per_byte: float) -> Made:
    """Sums of packing's buckets as they come from Spark, their offsets, and what travels with each task."""
    import cloudpickle  # type: ignore[import-untyped]
    from pyspark.sql import Row

    from pipelines.pack.order import BUCKET_TOKENS, MAX_BUCKET_BITS, by_bucket, offsets

    total = int(num_bytes * tokens_per_byte)
    bits = min(MAX_BUCKET_BITS, max(total // BUCKET_TOKENS, 1).bit_length())
    make = Row("split", "bucket", "total")
    count = 2**bits

    def work() -> dict[str, Any]:
        rows = [
            make(split, bucket, total // count)
            for split in ("train", "validation")
            for bucket in range(count)
        ]
        bases = offsets(by_bucket([tuple(row) for row in rows], bits))
        return {"task_bytes": len(cloudpickle.dumps(bases)), "tokens_of_bucket": total // count}

    return work, 2 * count


def layout(_folder: Path, num_bytes: int, tokens_per_byte: float) -> Made:
    """Put the row groups of all footers in order, check them, and send the layout to a rank and back."""
    from conf.pack import PackConfig
    from pipelines.pack.stage import widened
    from training.data.footers import GROUP
    from training.data.layout import make_layout
    from training.data.snapshot import DataFile, Snapshot

    count = _sequences(num_bytes, tokens_per_byte)
    config = widened(PackConfig(), count)
    rows, of_file = config.rows_per_group, config.rows_per_file // config.rows_per_group
    groups = np.zeros(-(-count // rows), GROUP)
    groups["first"] = np.arange(len(groups)) * rows
    groups["rows"] = rows
    groups["number"] = np.arange(len(groups)) % of_file
    groups["content"] = np.random.default_rng(0).integers(0, 2**63, len(groups))
    cuts = range(of_file, len(groups), of_file)
    files = tuple(
        DataFile(f"/lake/tables/sequences/split=train/part-{number:05d}-{number:032x}.parquet", 1)
        for number in range(len(cuts) + 1)
    )
    snapshot = Snapshot("/lake/tables/sequences", 0, "train", files, 256, 4096, "0" * 64, 2)
    # What tasks send back are copies of their own.
    per_file = [part.copy() for part in np.split(groups, list(cuts))]

    def work() -> dict[str, Any]:
        found = make_layout(snapshot, per_file)
        sent = pickle.dumps(found)
        again = pickle.loads(sent)
        assert again.num_sequences == found.num_sequences
        return {"files": len(files), "sent_bytes": len(sent), "rows_per_group": rows}

    return work, len(groups)


def footers(folder: Path, num_bytes: int, tokens_per_byte: float) -> Made:
    """Read real footers by threads of one process; the seconds that all files of the corpus would take so."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from conf.pack import PackConfig
    from pipelines.pack.stage import widened
    from training.data.footers import FILES_OF_TASK, read_footers
    from training.data.snapshot import DataFile

    count = _sequences(num_bytes, tokens_per_byte)
    config = widened(PackConfig(), count)
    files = -(-count // config.rows_per_file)
    groups = config.rows_per_file // config.rows_per_group
    # A row group's description is as long whatever its rows: two are enough.
    table = pa.table(
        {
            "sequence_id": pa.array(range(2 * groups), pa.int64()),
            "input_ids": pa.array([b"ab" * 8] * (2 * groups), pa.binary()),
            "num_tokens": pa.array([8] * (2 * groups), pa.int32()),
            "segments": pa.array(
                [[{"doc_id": "d" * 32, "start": 0, "end": 8, "doc_start": 0}]] * (2 * groups)
            ),
        }
    )
    sample = [folder / f"{number}.parquet" for number in range(min(files, SAMPLE_FOOTERS))]
    for path in sample:
        pq.write_table(table, path, row_group_size=2)

    def work() -> dict[str, Any]:
        began = time.perf_counter()
        found = read_footers([DataFile(str(path), 2 * groups) for path in sample])
        each = (time.perf_counter() - began) / len(sample)
        assert sum(map(len, found)) == groups * len(sample)
        return {"footers": files, "seconds_of_all": each * files, "seconds_of_task": each * FILES_OF_TASK}

    return work, len(sample)


PARTS: dict[str, Callable[[Path, int, float], Made]] = {
    "discovery": discovery,
    "log": log,
    "buckets": buckets,
    "layout": layout,
    "footers": footers,
}
"""What grows on the driver with the corpus, by name."""


def text(value: Mapping[str, Any]) -> str:
    """The measurements for people."""
    known = ("part", "terabytes", "items", "seconds", "memory_bytes")
    rows: Sequence[Mapping[str, Any]] = value["rows"]
    cells = [
        [
            row["part"],
            f"{row['terabytes']:g}",
            f"{row['items']:,}",
            f"{row['seconds']:.2f}",
            f"{row['memory_bytes'] / 2**20:.0f}",
            ", ".join(
                f"{name} {number:,.1f}" if isinstance(number, float) else f"{name} {number:,}"
                for name, number in row.items()
                if name not in known
            ),
        ]
        for row in rows
    ]
    head = ["part", "TB", "items", "s", "MiB", "besides"]
    return f"{corpus.table_text(head, cells)}\n{json.dumps(value['machine'])}\n"
