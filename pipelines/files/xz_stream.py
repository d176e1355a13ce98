"""The bytes of an .xz file, decompressed: its streams one after the other, within a bound of memory.

An xz header names the size of the dictionary that its decoder must hold, up to 4 GiB, which Python's own
`lzma.open` allocates without a word. The format: https://tukaani.org/xz/xz-file-format.txt.
"""

from __future__ import annotations

import io
import lzma
from typing import Any, BinaryIO

from pipelines.files.record import Fault, FileFault

MAX_MEMORY = 128 * 2**20
"""Most bytes that a decoder may hold: twice the 65 MiB that `xz -9`, the largest preset, asks for (xz(1))."""

_BLOCK = 2**20

_MAGIC = b"\xfd7zXZ\0"

_PADDING = 4
"""Zero bytes between and behind streams come in multiples of four (section 2.2 of the format)."""


class XzStream(io.RawIOBase):
    """A raw stream of what an .xz file holds; it cannot be sought.

    Reading raises OSError for a file that is cut short ('Truncated ...', as Arrow's streams do) or damaged,
    FileFault 'too_large' for a dictionary beyond `MAX_MEMORY`, and MemoryError where this process lacks it.
    """

    def __init__(self, raw: BinaryIO) -> None:
        """Takes the file's bytes; they are closed with this stream."""
        self._raw = raw
        self._decoder: lzma.LZMADecompressor | None = _decoder()
        self._pending = b""

    def readable(self) -> bool:  # noqa: D102
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        view = memoryview(buffer).cast("B")
        while view.nbytes and self._has_stream():
            assert self._decoder is not None
            given = b""
            if self._decoder.needs_input:
                given, self._pending = self._pending or self._raw.read(_BLOCK), b""
                if not given:
                    raise OSError("Truncated xz stream")
            found = _decompress(self._decoder, given, view.nbytes)
            if self._decoder.eof:
                self._pending = self._decoder.unused_data
                self._decoder = None
            if found:
                view[: len(found)] = found
                return len(found)
        return 0

    def close(self) -> None:  # noqa: D102
        if not self.closed:
            self._raw.close()
        super().close()

    def _has_stream(self) -> bool:
        """Whether there is a stream to go on with: the one begun, or another one behind the padding."""
        num_zeros = 0
        while self._decoder is None:
            self._pending = self._pending or self._raw.read(_BLOCK)
            rest = self._pending.lstrip(b"\0")
            num_zeros += len(self._pending) - len(rest)
            at_end = not self._pending
            self._pending = rest
            if at_end or rest:
                if num_zeros % _PADDING:
                    raise OSError(f"xz streams are padded by multiples of {_PADDING} bytes, not {num_zeros}")
                if at_end:
                    return False
                if not _MAGIC.startswith(rest[: len(_MAGIC)]):
                    raise OSError("what stands behind the last xz stream is none")
                self._decoder = _decoder()
        return True


def _decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY)


def _decompress(decoder: lzma.LZMADecompressor, given: bytes, most: int) -> bytes:
    try:
        return decoder.decompress(given, most)
    except lzma.LZMAError as error:
        if "Memory usage limit" not in str(error):
            raise OSError(f"xz decompress failed: {error}") from None
        detail = (
            f"the xz stream asks for a dictionary beyond the {MAX_MEMORY:,} bytes that its decoder may hold; "
            "compress it again with one of the presets, -0 to -9"
        )
        raise FileFault(Fault(0, "too_large", detail)) from None
