"""A process that lacks memory or open files says so; no file is quarantined for it."""

from __future__ import annotations

import errno
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.files.stored import Stored
from tests.ingest.support import read, read_bytes

MIB = 2**20

_READS_WITH_LITTLE = """
import resource, sys
from pathlib import Path
import psutil
from tests.ingest.support import read

assert read(Path(sys.argv[1])).summary.kept == 1
limit = psutil.Process().memory_info().vms + 24 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    found = read(Path(sys.argv[2]))
except MemoryError as error:
    print("no memory:", error)
else:
    print("read:", found.reasons, found.summary.kept)
"""


def test_a_good_file_is_not_quarantined_for_want_of_memory(tmp_path: Path) -> None:
    small, large = tmp_path / "small.txt.xz", tmp_path / "large.txt.xz"
    small.write_bytes(lzma.compress(b"a", preset=0))
    # The decoder of this preset holds 64 MiB, however little is in the file.
    large.write_bytes(lzma.compress(b"some words\n", preset=9))
    assert read(large).texts == ["some words"]
    command = [sys.executable, "-c", _READS_WITH_LITTLE, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.startswith("no memory: while the input file"), done.stdout + done.stderr[-2000:]


def _parquet(text: str) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": [text]}), sink)
    return bytes(sink.getvalue().to_pybytes())


def test_an_allocation_that_no_good_file_asks_for_is_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet("a"))

    def refuse(size: int) -> None:
        def fail(*_args: object, **_settings: object) -> None:
            raise pa.lib.ArrowMemoryError(f"malloc of size {size} failed")

        monkeypatch.setattr(pq, "ParquetFile", fail)

    refuse(2**20)
    with pytest.raises(MemoryError, match="malloc of size 1048576"):
        read(path)
    refuse(2**40)
    assert read(path).reasons == [("file", "too_large")]


@pytest.mark.parametrize(
    "said",
    [
        "ZSTD decompress failed: Allocation error : not enough memory",
        "zlib inflate failed: insufficient memory",
        "LZ4 decompress failed: ERROR_allocation_failed",
        "[Errno 12] Cannot allocate memory",
    ],
)
def test_a_decompressor_that_finds_no_memory_says_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    class Failing:
        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def read(self, size: int) -> bytes:
            if size < MIB:
                return lzma.compress(b"a")[:size]
            raise OSError(*((errno.ENOMEM, "Cannot allocate memory") if "Errno" in said else (said,)))

    monkeypatch.setattr(Stored, "open", lambda *_args: Failing())
    with pytest.raises(MemoryError, match="while the input file"):
        read_bytes(tmp_path, "a.txt.xz", lzma.compress(b"a"))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_file_is_not_quarantined_because_too_many_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", fail)
    path = tmp_path / "a.txt"
    os.close(os.open(path, os.O_CREAT))
    with pytest.raises(OSError, match=os.strerror(number)):
        Stored(str(path)).open()
