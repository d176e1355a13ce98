"""Opening input files: gzip, zstd, bz2, xz and lz4 streams, checked to their end before a row is believed.

A stream that is cut short or whose checksum is wrong gives plausible rows up to the fault. None of them
can be trusted, so a compressed file is read twice: once to its end for the checksums, then for its rows.
That costs decompression twice, and neither memory nor disk.
"""

from __future__ import annotations

import errno
import re

from pipelines.files.record import Fault, FileFault, excerpt
from pipelines.files.stored import Compression, Stored

EXTENSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
EXTENSIONS |= {".xz": "xz", ".lz4": "lz4"}

# None of them can begin a text: gzip's, zstd's and xz's are not UTF-8, bz2's is 10 fixed bytes but for the
# level, and lz4's has two control characters, and two bytes behind it of which few values are allowed.
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BZ2_MAGIC = b"BZh"
_BZ2_BLOCK_MAGIC = b"1AY&SY"
_XZ_MAGIC = b"\xfd7zXZ\0"
# Version 1, then a block of 64 KiB to 4 MiB (LZ4 frame format 1.6.4, "Frame Descriptor").
_LZ4_FRAME = re.compile(rb"\x04\x22\x4d\x18[\x40-\x7f][\x40\x50\x60\x70]", re.DOTALL)
_SKIPPABLE_FRAME = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
_MAGIC_BYTES = 10

_BLOCK = 2**20

_NO_MEMORY = re.compile(
    r"not enough memory|insufficient memory|allocation_failed|out of memory", re.IGNORECASE
)
"""What zstd, zlib and bz2, LZ4 call a failed allocation, behind whose words Arrow hides the kind."""

ROW_BYTES = 16
"""What a record counts for beside its bytes, where it is asked how much comes out of a file: its id alone
takes as much, and a record can have no bytes at all, as a null of a Parquet file does."""

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
    if head.startswith(_XZ_MAGIC):
        return "xz"
    if _LZ4_FRAME.match(head):
        return "lz4"
    return "none"


def actual_compression(stored: Stored, promised: Compression) -> Compression:
    """The compression that a file has, which its content decides where the extension promises none.

    Raises:
        FileFault: 'unreadable'; 'empty' for a file of no bytes; 'bad_compression' where the extension
            promises a compression and the content has another one or none.
    """
    with stored.open() as raw:
        try:
            head = raw.read(_MAGIC_BYTES)
        except OSError as error:
            raise_if_short(error)
            raise FileFault(Fault(0, "unreadable", f"the file cannot be read: {error.strerror}")) from None
    found = sniff(head)
    if promised != "none" and not head:
        raise FileFault(Fault(0, "empty", f"the file has no bytes, so it is no {promised} stream"))
    if promised == "zstd" and found == "none":
        # A zstd stream may also begin with a skippable frame; libzstd judges that better than we do.
        return "zstd"
    if promised == "lz4" and _SKIPPABLE_FRAME.match(head):
        return "lz4"
    if promised not in ("none", found):
        detail = f"the extension promises {promised}, the content is {_describe(found)}"
        raise FileFault(Fault(0, "bad_compression", detail, excerpt(head)))
    return found


def verify(stored: Stored, compression: Compression, max_bytes: int, max_expansion: int) -> int:
    """Reads a compressed stream to its end, so that checksums and limits hold for all of it.

    Returns:
        Its decompressed size in bytes.

    Args:
        stored: The file.
        compression: How it is compressed; nothing is read where that is 'none'.
        max_bytes: Largest decompressed size in bytes.
        max_expansion: Most decompressed bytes for each stored byte, where more than 32 MiB come out.

    Raises:
        FileFault: 'unreadable', 'truncated', 'corrupt', 'too_large' or 'bomb'.
        MemoryError: The decompressor found no memory, which says nothing of the file.
        StorageError: The file system failed.
    """
    size = stored.size()
    if compression == "none":
        if size > max_bytes:
            raise FileFault(too_large("file", 0, size, max_bytes, "max_file_bytes"))
        return size
    num_bytes = num_lines = 0
    try:
        with stored.open(compression) as stream:
            while block := stream.read(_BLOCK):
                num_bytes += len(block)
                num_lines += block.count(b"\n")
                fault = expansion_fault(size, num_bytes, max_bytes, max_expansion, num_lines)
                if fault is not None:
                    raise FileFault(fault)
    except OSError as error:
        raise_if_short(error)
        cut = "Truncated" in str(error)
        problem = "ends before its end-of-stream mark" if cut else f"is damaged ({error})"
        detail = f"the {compression} stream {problem}; nothing of it can be trusted"
        raise FileFault(Fault(num_bytes, "truncated" if cut else "corrupt", detail)) from None
    return num_bytes


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


def expansion_fault(
    stored: int, num_bytes: int, max_bytes: int, max_expansion: int, num_rows: int = 0
) -> Fault | None:
    """The fault of a file of which too much has come out: 'too_large', 'bomb' or none yet.

    Args:
        stored: The file's size as stored, in bytes.
        num_bytes: How many bytes have come out of it so far.
        max_bytes: `ingest.max_file_bytes`.
        max_expansion: `ingest.max_expansion`.
        num_rows: How many records have come out of it so far; each counts for `ROW_BYTES` more.
    """
    if num_bytes > max_bytes:
        return too_large("decompressed file", num_bytes, None, max_bytes, "max_file_bytes")
    if num_bytes + ROW_BYTES * num_rows <= max(_EXPANSION_CHECKED_FROM, max_expansion * stored):
        return None
    rows = f" in {num_rows:,} records, each counted for {ROW_BYTES} more," if num_rows else ""
    detail = (
        f"{stored:,} stored bytes had become {num_bytes:,}{rows} when reading stopped, "
        f"the limit is {max_expansion:,} to 1 (ingest.max_expansion)"
    )
    return Fault(num_bytes, "bomb", detail)


def raise_if_short(error: OSError) -> None:
    """MemoryError where an error says that memory ran out: Arrow tells it as that of a damaged stream."""
    if error.errno == errno.ENOMEM or _NO_MEMORY.search(str(error)):
        raise MemoryError(f"a stream could not be read: {error!s:.200}") from error


def _describe(compression: Compression) -> str:
    return (
        f"not compressed by any of {', '.join(EXTENSIONS.values())}" if compression == "none" else compression
    )
