"""Opening input files: gzip, zstd and bz2 streams, checked to their end before a row is believed.

A stream that is cut short or whose checksum is wrong gives plausible rows up to the fault. None of them
can be trusted, so a compressed file is read twice: once to its end for the checksums, then for its rows.
That costs decompression twice, and neither memory nor disk.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, Literal, cast

import pyarrow as pa

from pipelines.ingest.record import Fault, FileFault, excerpt

Compression = Literal["none", "gzip", "zstd", "bz2"]

EXTENSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}

# None of the three can begin a text: the first two are not UTF-8, bz2's is 10 fixed bytes but for the level.
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BZ2_MAGIC = b"BZh"
_BZ2_BLOCK_MAGIC = b"1AY&SY"
_MAGIC_BYTES = 10

_BLOCK = 2**20

# Below this size an expansion ratio says nothing: a short file of equal lines is harmless.
_EXPANSION_CHECKED_FROM = 32 * 2**20


def compression_of_name(name: str) -> tuple[str, Compression]:
    """The name without its compression extension, and the compression that the extension promises."""
    for extension, compression in EXTENSIONS.items():
        if name.lower().endswith(extension):
            return name[: -len(extension)], compression
    return name, "none"


def sniff(head: bytes) -> Compression:
    """The compression that a file's first bytes show.

    Args:
        head: At least its first 10 bytes, or the whole file if that is shorter.
    """
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC):
        return "zstd"
    if head.startswith(_BZ2_MAGIC) and head[4:10] == _BZ2_BLOCK_MAGIC:
        return "bz2"
    return "none"


def actual_compression(path: str, promised: Compression) -> Compression:
    """The compression that a file has, which its content decides where the extension promises none.

    Raises:
        FileFault: 'unreadable'; 'empty' for a file of no bytes; 'bad_compression' where the extension
            promises a compression and the content has another one or none.
    """
    try:
        with Path(path).open("rb") as raw:
            head = raw.read(_MAGIC_BYTES)
    except OSError as error:
        raise FileFault(Fault(0, "unreadable", f"the file cannot be read: {error.strerror}")) from None
    found = sniff(head)
    if promised != "none" and not head:
        raise FileFault(Fault(0, "empty", f"the file has no bytes, so it is no {promised} stream"))
    if promised == "zstd" and found == "none":
        # A zstd stream may also begin with a skippable frame; libzstd judges that better than we do.
        return "zstd"
    if promised not in ("none", found):
        detail = f"the extension promises {promised}, the content is {_describe(found)}"
        raise FileFault(Fault(0, "bad_compression", detail, excerpt(head)))
    return found


def open_stream(path: str, compression: Compression) -> BinaryIO:
    """A buffered stream of a file's decompressed bytes."""
    if compression == "none":
        return Path(path).open("rb")
    raw = pa.CompressedInputStream(pa.OSFile(os.fsencode(path)), compression)
    return cast(BinaryIO, io.BufferedReader(raw, _BLOCK))


def verify(path: str, compression: Compression, max_bytes: int, max_expansion: int) -> None:
    """Reads a compressed stream to its end, so that checksums and limits hold for all of it.

    Args:
        path: The file.
        compression: How it is compressed; nothing is read where that is 'none'.
        max_bytes: Largest decompressed size in bytes.
        max_expansion: Most decompressed bytes for each stored byte, where more than 32 MiB come out.

    Raises:
        FileFault: 'truncated', 'corrupt', 'too_large' or 'bomb'.
    """
    stored = Path(path).stat().st_size
    if compression == "none":
        if stored > max_bytes:
            raise FileFault(too_large("file", 0, stored, max_bytes, "max_file_bytes"))
        return
    num_bytes = 0
    try:
        with open_stream(path, compression) as stream:
            while block := stream.read(_BLOCK):
                num_bytes += len(block)
                fault = expansion_fault(stored, num_bytes, max_bytes, max_expansion)
                if fault is not None:
                    raise FileFault(fault)
    except OSError as error:
        cut = "Truncated" in str(error)
        problem = "ends before its end-of-stream mark" if cut else f"is damaged ({error})"
        detail = f"the {compression} stream {problem}; nothing of it can be trusted"
        raise FileFault(Fault(num_bytes, "truncated" if cut else "corrupt", detail)) from None


def too_large(what: str, offset: int, size: int | None, limit: int, key: str, head: bytes = b"") -> Fault:
    """The fault of something larger than a limit of the configuration.

    Args:
        what: 'line', 'file' and the like.
        offset: Where it begins, or where the limit was passed.
        size: Its size in bytes; None if reading stopped at the limit.
        limit: The limit in bytes.
        key: Name of the limit in the configuration's `ingest` section.
        head: Its first bytes, for the excerpt.
    """
    measured = f"{size:,} bytes" if size is not None else f"more than {limit:,} bytes"
    detail = f"the {what} has {measured}, the limit is {limit:,} (ingest.{key})"
    return Fault(offset, "too_large", detail, excerpt(head))


def expansion_fault(stored: int, num_bytes: int, max_bytes: int, max_expansion: int) -> Fault | None:
    """The fault of a file of which too much has come out: 'too_large', 'bomb' or none yet.

    Args:
        stored: The file's size as stored, in bytes.
        num_bytes: How many bytes have come out of it so far.
        max_bytes: `ingest.max_file_bytes`.
        max_expansion: `ingest.max_expansion`.
    """
    if num_bytes > max_bytes:
        return too_large("decompressed file", num_bytes, None, max_bytes, "max_file_bytes")
    if num_bytes <= max(_EXPANSION_CHECKED_FROM, max_expansion * stored):
        return None
    detail = (
        f"{stored:,} stored bytes had become {num_bytes:,} when reading stopped, "
        f"the limit is {max_expansion:,} to 1 (ingest.max_expansion)"
    )
    return Fault(num_bytes, "bomb", detail)


def _describe(compression: Compression) -> str:
    return "not compressed by any of gzip, zstd, bz2" if compression == "none" else compression
