"""The parts of Petastorm 0.13.1 that stream row groups, made to run on current pyarrow, without setuptools.

Petastorm imports two classes that pyarrow removed, `pyarrow.filesystem.LocalFileSystem` and
`pyarrow.hdfs.HadoopFileSystem`, and `distutils.version.LooseVersion`, which Python 3.12 has only where
setuptools stands in for it. It only needs the names, for code that is not used here, so placeholders
stand in for them while Petastorm is imported and go away afterwards. The contract tests in
tests/training/data/test_petastorm_compat.py state every Petastorm behaviour that the reader leans on. No
metadata of a data set is ever unpickled: the reader takes explicit files and brings its own schema.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_REMOVED = {
    "pyarrow.filesystem": "LocalFileSystem",
    "pyarrow.hdfs": "HadoopFileSystem",
    "distutils.version": "LooseVersion",
}
"""Modules that pyarrow and Python no longer have, with the name that Petastorm imports from each."""

POLL_SECONDS = 0.02
"""How often an idle worker thread looks for work or for the stop signal. Petastorm's 1 ms costs a few
percent of a core for every thread; 20 ms is far below the time that a prefetched row group lasts."""


@contextmanager
def _placeholders() -> Iterator[None]:
    added = []
    for module_name, class_name in _REMOVED.items():
        if module_name not in sys.modules:
            module = ModuleType(module_name)
            setattr(module, class_name, type(class_name, (), {}))
            sys.modules[module_name] = module
            added.append(module_name)
    try:
        yield
    finally:
        for module_name in added:
            del sys.modules[module_name]


with _placeholders():
    from petastorm.arrow_reader_worker import ArrowReaderWorker
    from petastorm.cache import NullCache
    from petastorm.reader import Reader
    from petastorm.unischema import Unischema, UnischemaField
    from petastorm.workers_pool import thread_pool
    from petastorm.workers_pool.dummy_pool import DummyPool
    from petastorm.workers_pool.thread_pool import ThreadPool
    from petastorm.workers_pool.ventilator import Ventilator

thread_pool.IO_TIMEOUT_INTERVAL_S = POLL_SECONDS

__all__ = [
    "POLL_SECONDS",
    "ArrowReaderWorker",
    "DummyPool",
    "NullCache",
    "Reader",
    "ThreadPool",
    "Unischema",
    "UnischemaField",
    "Ventilator",
]
