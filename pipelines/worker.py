"""What a Python worker of Spark does between two tasks, made cheap.

After each task a worker collects garbage among all objects that its imports made, and before each task it
reads the directories of Spark's own archives once for each package in them. With this project's imports that
is about 0.2 s of a core, often more than the task itself.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from zipimport import zipimporter

import pyarrow as pa

Kernel = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_SPARKS_OWN = re.compile(r"(pyspark|py4j-[^/]*-src)\.zip|spark-core_[^/]*\.jar")
"""Archives on a worker's path that are Spark's and stay as they are while it lives, unlike `--py-files`."""


def lasting(kernel: Kernel) -> Kernel:
    """A function for `mapInArrow` that leaves its worker ready for the next task."""

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from kernel(batches)
        finally:
            settle()

    return convert


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
