"""The body of an HTTP response as a browser would show it: transfer and content codings undone.

Headers and bodies of archives disagree: crawlers store bodies decoded under the headers of the encoded ones,
servers name codings that they did not use, and bodies are cut. A coding that the body does not have is
passed over where the bytes are text (none of the "binary data bytes" of the WHATWG MIME Sniffing Standard in
the first 1,445), and what stands behind a coding's end is left out, as browsers do.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import brotli
import pyarrow as pa

GZIP_MAGIC = b"\x1f\x8b"

# RFC 9112, 7.1: hexadecimal digits, then white space and extensions, which have no meaning here.
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n")

_SNIFFED_BYTES = 1445
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Decoders that cannot be told how much to give are fed so little at a time.
_FEED_BYTES = 2**10


class BodyError(ValueError):
    """A body that cannot be decoded."""


@dataclass(frozen=True)
class Body:
    """What came out of a body.

    Attributes:
        content: Its first bytes, decoded.
        cut: What is missing at its end, as a sentence; None if nothing is.
    """

    content: bytes
    cut: str | None = None


def decoded_body(body: bytes, transfer: str, content: str, max_bytes: int) -> Body:
    """The first bytes of a body without its codings.

    Args:
        body: As the archive has it.
        transfer: The values of Transfer-Encoding, joined by commas.
        content: The values of Content-Encoding, likewise.
        max_bytes: How much is decoded at most.

    Raises:
        BodyError: Neither the codings that the headers name nor none make text of it.
    """
    cut: list[str] = []
    names = [*_names(content), *_names(transfer)]
    is_undone = False
    for name in reversed(names):
        if name == "chunked":
            found = _unchunked(body)
        elif name in _DECODERS:
            found = _undone(name, body, max_bytes)
            is_undone = True
        else:
            # none, identity, charsets and other words that are no coding mean nothing to browsers.
            continue
        body = found.content
        if found.cut is not None:
            cut.append(found.cut)
    if body.startswith(GZIP_MAGIC) and not is_undone:
        # No page begins so: the crawler kept the body and lost the header.
        found = _undone("gzip", body, max_bytes)
        body = found.content
        cut += [] if found.cut is None else [found.cut]
    return Body(body[:max_bytes], " and ".join(cut) or None)


def _names(value: str) -> list[str]:
    return [name.strip().strip("\"'").lower() for name in value.split(",") if name.strip()]


def _is_text(raw: bytes) -> bool:
    return raw.startswith(_UTF16_MARKS) or _BINARY.search(raw, 0, _SNIFFED_BYTES) is None


def _unchunked(body: bytes) -> Body:
    """The chunks of a body joined; a body that does not begin with a chunk is stored without."""
    match = _CHUNK_SIZE.match(body)
    if match is None:
        if _is_text(body) and body.strip() and not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise BodyError("no chunk begins at its byte 0")
        return Body(body)
    parts: list[bytes] = []
    position = 0
    while match is not None:
        size, position = int(match[1], 16), match.end()
        if size == 0:
            return Body(b"".join(parts))
        parts.append(body[position : position + size])
        position += size
        if position > len(body):
            return Body(b"".join(parts), "its last chunk is cut")
        end = _LINE_END.match(body, position)
        if end is None and position < len(body.rstrip(b"\r\n")):
            if len(parts) == 1 and _is_text(body):
                return Body(body)  # its first line only looked like a size
            raise BodyError(f"no chunk ends at its byte {position:,}")
        position = end.end() if end else len(body)
        match = _CHUNK_SIZE.match(body, position)
    if body[position : position + 20].strip(b"0123456789abcdefABCDEF \t\r\n"):
        raise BodyError(f"no chunk begins at its byte {position:,}")
    return Body(b"".join(parts), "its last chunk is missing")


def _undone(name: str, body: bytes, max_bytes: int) -> Body:
    """A body without a coding; as it is where it does not have it."""
    found: list[tuple[bytes, str]] = []
    for decode in _DECODERS[name]:
        content, state = decode(body, max_bytes)
        if state == _WHOLE:
            return Body(content)
        found.append((content, state))
    if not body or _is_text(body):
        return Body(body)
    cut = [content for content, state in found if state == _CUT]
    if any(cut):
        return Body(max(cut, key=len), f"its {name} stream is cut")
    if cut:
        raise BodyError(f"its {name} stream is cut before anything of it can be read")
    raise BodyError(f"its {name} stream is damaged, and it is no text as it is")


class _Decoder(Protocol):
    """Decodes a stream piece by piece."""

    def feed(self, raw: bytes, max_bytes: int) -> bytes:
        """What a piece adds, perhaps more than asked for."""

    @property
    def is_done(self) -> bool:
        """Whether the stream has come to its end."""


_WHOLE, _CUT, _DAMAGED = "whole", "cut", "damaged"


def _run(decoder: _Decoder, body: bytes, max_bytes: int) -> tuple[bytes, str]:
    """What a decoder makes of a body, at most about `max_bytes`, and how it ended."""
    parts: list[bytes] = []
    size = 0
    try:
        for start in range(0, len(body), _FEED_BYTES):
            part = decoder.feed(body[start : start + _FEED_BYTES], max_bytes - size)
            parts.append(part)
            size += len(part)
            if size >= max_bytes or decoder.is_done:
                return b"".join(parts), _WHOLE
    except (zlib.error, brotli.error, OSError, ValueError):
        return b"".join(parts), _DAMAGED
    return b"".join(parts), _CUT


class _Zlib:
    """gzip, with one member or several, and deflate, with zlib's header or without."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits=wbits)

    @property
    def is_done(self) -> bool:
        return self._stream.eof

    def feed(self, raw: bytes, max_bytes: int) -> bytes:
        found = b""
        while raw and len(found) < max_bytes:
            found += self._stream.decompress(raw, max_bytes - len(found))
            raw = self._stream.unconsumed_tail
            if self._stream.eof:
                raw = self._stream.unused_data
                if self._wbits != _GZIP or not raw.startswith(GZIP_MAGIC):
                    break
                self._stream = zlib.decompressobj(wbits=self._wbits)
        return found


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def is_done(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, raw: bytes, max_bytes: int) -> bytes:
        found: bytes = self._stream.process(raw, output_buffer_limit=max(1, max_bytes))
        while len(found) < max_bytes and not self._stream.can_accept_more_data():
            found += self._stream.process(b"", output_buffer_limit=max_bytes - len(found))
        return found


def _zstd(body: bytes, max_bytes: int) -> tuple[bytes, str]:
    parts: list[bytes] = []
    size = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while size < max_bytes and (part := stream.read(min(_FEED_BYTES, max_bytes - size))):
                parts.append(part)
                size += len(part)
    except OSError as error:
        return b"".join(parts), _CUT if "Truncated" in str(error) else _DAMAGED
    return b"".join(parts), _WHOLE if parts else _CUT


def _gzip(body: bytes, max_bytes: int) -> tuple[bytes, str]:
    return _run(_Zlib(_GZIP), body, max_bytes)


def _deflate(body: bytes, max_bytes: int) -> tuple[bytes, str]:
    return _run(_Zlib(_ZLIB), body, max_bytes)


def _raw_deflate(body: bytes, max_bytes: int) -> tuple[bytes, str]:
    return _run(_Zlib(_RAW), body, max_bytes)


def _brotli(body: bytes, max_bytes: int) -> tuple[bytes, str]:
    return _run(_Brotli(), body, max_bytes)


_GZIP, _ZLIB, _RAW = 31, 15, -15

_Decode = Callable[[bytes, int], tuple[bytes, str]]

# What RFC 9110 calls deflate has a header of zlib, which many servers leave out.
_DECODERS: dict[str, tuple[_Decode, ...]] = {
    "gzip": (_gzip,),
    "x-gzip": (_gzip,),
    "deflate": (_deflate, _raw_deflate, _gzip),
    "br": (_brotli,),
    "zstd": (_zstd,),
}
