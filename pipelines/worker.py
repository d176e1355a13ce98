"""What a Python worker of Spark pays for every task it takes after its first one, made cheap.

Between two tasks pyspark has Python read the directory of every zip archive on the path again, the jar of
Spark's core (which has no Python) included, and collect garbage among all that was ever imported: 60 ms and
10 to 20 ms (Python 3.11, pyspark 4.1), which is more than a small task works.
"""

from __future__ import annotations

import gc
import sys
import zipimport
from collections.abc import Callable, Iterable, Iterator
from functools import cache, wraps

import pyarrow as pa

Batches = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def lasting(convert: Batches) -> Batches:
    """A function for `mapInArrow` that leaves its worker ready for the next task.

    Args:
        convert: Batches in, batches out.
    """

    @wraps(convert)
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from convert(batches)
        _forget_archives()
        _keep_imports()

    return run


def _forget_archives() -> None:
    """Drops the finders of archives, which are made again from their known directory when one is needed."""
    finders = sys.path_importer_cache
    for path in [path for path, finder in finders.items() if isinstance(finder, zipimport.zipimporter)]:
        del finders[path]


@cache
def _keep_imports() -> None:
    """Takes what the first task imported and compiled out of garbage collection: it stays to the end."""
    gc.freeze()
