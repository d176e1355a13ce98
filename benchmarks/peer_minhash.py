"""MinHash of datatrove or text-dedup in their environment: python peer_minhash.py NAME FOLDER CORES

FOLDER/in has JSON lines in as many files as there are cores: document i is line i // CORES of file i % CORES.
Nothing of ringlake is imported.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

MARK = "@ "

BANDS, ROWS, NGRAM = 14, 8, 5

Parts = dict[str, dict[str, float]]


def _cpu() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


@contextmanager
def timed(parts: Parts, *names: str) -> Iterator[None]:
    """Add what a block takes to parts."""
    began, spent = time.perf_counter(), _cpu()
    yield
    for name in names:
        part = parts.setdefault(name, {"seconds": 0.0, "cpu_seconds": 0.0})
        part["seconds"] += time.perf_counter() - began
        part["cpu_seconds"] += _cpu() - spent


def datatrove(folder: Path, cores: int) -> dict[str, Any]:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from loguru import logger

    logger.disable("datatrove")
    config = MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    parts: Parts = {}

    def run(step: str, pipeline: list[Any], tasks: int) -> None:
        workers = min(cores, tasks)
        logs = str(folder / "logs" / step)
        # Forked workers are this process's own children, whose processor time is counted.
        executor = LocalPipelineExecutor(pipeline, tasks, workers, logs, start_method="fork")
        names = ("end to end", "signatures") if step == "signatures" else ("end to end",)
        with timed(parts, *names):
            executor.run()

    def place(name: str) -> str:
        return str(folder / name)

    reader = JsonlReader(place("in"))
    run("signatures", [reader, MinhashDedupSignature(place("sigs"), config=config)], cores)
    run("buckets", [MinhashDedupBuckets(place("sigs"), place("buckets"), config=config)], BANDS)
    cluster = MinhashDedupCluster(place("buckets"), place("remove"), config=config, save_cluster_id=True)
    run("cluster", [cluster], 1)
    kept = [reader, MinhashDedupFilter(place("remove")), JsonlWriter(place("out"), compression=None)]
    run("filter", kept, cores)
    clusters, removed = [], 0
    for core in range(cores):
        data = (folder / "remove" / f"{core:06d}.clusters").read_bytes()
        clusters += [(core + cores * line, number) for line, number in struct.iter_unpack("<II", data)]
        removed += len((folder / "remove" / f"{core:06d}.remove").read_bytes()) // 4
    return {"parts": parts, "clusters": clusters, "removed": removed}


def text_dedup(folder: Path, cores: int) -> dict[str, Any]:
    os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
    from text_dedup import minhash
    from text_dedup.utils import IOArgs, MetaArgs, MinHashArgs

    logging.getLogger("text_dedup").setLevel(logging.WARNING)
    parts: Parts = {}

    class Told(minhash.Timer):
        """The command's own timer, which tells when the signatures are made."""

        def __call__(self, name: str) -> Any:
            return timed(parts, "signatures") if name == "MinHashing" else super().__call__(name)

    minhash.Timer = Told
    files = sorted(str(file) for file in (folder / "in").iterdir())
    io_args = IOArgs(
        path="json",
        output=str(folder / "out"),
        data_files=files,
        split="train",
        cache_dir=str(folder / "cache"),
        num_proc=cores,
    )
    with timed(parts, "end to end"):
        minhash.main.callback(
            io_args=io_args,
            meta_args=MetaArgs(column="text"),
            minhash_args=MinHashArgs(ngram=NGRAM, num_perm=BANDS * ROWS, b=BANDS, r=ROWS, hash_func="xxh3"),
        )
    sizes = [len(Path(file).read_bytes().splitlines()) for file in files]
    places = [core + cores * line for core, size in enumerate(sizes) for line in range(size)]
    members = list(minhash.uf.parent)
    clusters = [(places[number], int(minhash.uf.find(number))) for number in members]
    removed = sum(1 for number, (_, cluster) in zip(members, clusters, strict=True) if number != cluster)
    return {"parts": parts, "clusters": clusters, "removed": removed}


def main(name: str, folder: Path, cores: int) -> None:
    found = {"datatrove": datatrove, "text-dedup": text_dedup}[name](folder, cores)
    found["version"] = metadata.version(name)
    sys.stdout.write(MARK + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
