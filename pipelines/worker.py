"""What a Python worker of Spark does between two tasks, made cheap.

After each task a worker collects garbage among all objects that its imports made, and before each task it
reads the directories of Spark's own zip files once for each package in them. With this project's imports that
is about 0.2 s of a core, often more than the task itself.
"""

from __future__ import annotations

import gc
import os
import re
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from zipimport import zipimporter

import pyarrow as pa

Kernel = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_SPARKS_OWN = re.compile(r"(pyspark|py4j-[^/]*-src)\.zip|spark-core_[^/]*\.jar")
"""Archives that come with Spark and stay as they are while a worker lives, unlike those of `--py-files`.

The jar has no Python in it, but Spark puts it on the path.
"""

MEMORY_VARIABLE = "RINGLAKE_WORKER_MEMORY"
"""Environment of a worker: bytes of address space that it may have while it computes."""


def in_warm_worker(kernel: Kernel) -> Kernel:
    """A function for `mapInArrow` that keeps to its memory and leaves its worker ready for the next task."""

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            with limited(int(os.environ.get(MEMORY_VARIABLE, "0"))):
                yield from kernel(batches)
        finally:
            settle()

    return convert


@contextmanager
def limited(num_bytes: int) -> Iterator[None]:
    """Bounds the address space of this process meanwhile: what is beyond fails here, and fills no machine.

    Only the soft limit moves, and it is put back: a training rank that this process starts later has none.

    Args:
        num_bytes: The bound; 0 for none.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if not num_bytes or (soft != resource.RLIM_INFINITY and soft <= num_bytes):
        yield
        return
    most = num_bytes if hard == resource.RLIM_INFINITY else min(num_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def settle() -> None:
    """Spares this process repeated work over what its imports left behind; nothing else changes."""
    _freeze(len(sys.modules))
    # A finder that is missing here is made again from zipimport's cache when an import asks for it.
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter) and _SPARKS_OWN.fullmatch(Path(finder.archive).name):
            del sys.path_importer_cache[path]


@cache
def _freeze(_num_modules: int) -> None:
    """Takes all objects from the garbage collector's lists, once for each number of loaded modules.

    Modules stay until the process ends. What else is taken with them is bounded by their number.
    """
    gc.collect()
    gc.freeze()
