"""The kernels run where no cache can be written, as in a read-only container without a home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import pyarrow as pa
from pipelines.dedup.minhash import similarities
print(similarities(pa.array(["a b c"]), pa.array(["b c d"]), 1)[0])
"""


def test_kernels_run_without_a_writable_cache() -> None:
    environment = os.environ | {
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
        "NUMBA_CACHE_DIR": "/proc/self/nowhere",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "0.5", done.stderr
