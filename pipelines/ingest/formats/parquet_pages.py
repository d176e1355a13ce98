"""How large the pages of a Parquet column chunk are, from the pages' own headers.

The footer says how many bytes a column chunk has; the decoder allocates what the header of each page
says. A hostile file makes the two differ, and only the headers tell what a read would cost. They are
Thrift structs in the compact protocol, of which three integers are wanted here:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (PageHeader) and
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from typing import BinaryIO

_UNCOMPRESSED_SIZE_FIELD = 2
_COMPRESSED_SIZE_FIELD = 3

# Statistics can make a header long. Parquet C++ gives up at 16 MiB too.
_HEADER_READS = (2**12, 2**17, 2**24)

# A header has structs of statistics in structs of pages, no more.
_MAX_DEPTH = 8

# Old writers left the header of the dictionary page out of a chunk's size; readers allow for so much.
_SLACK_BYTES = 100

_STRUCT = 12


class PageError(ValueError):
    """Page headers that cannot be read or contradict the footer."""


def largest_page(stream: BinaryIO, start: int, num_bytes: int) -> tuple[int, int]:
    """The uncompressed size of a column chunk's largest page, and of all its pages together, in bytes.

    Args:
        stream: The file.
        start: Where the chunk's first page begins.
        num_bytes: The chunk's size as stored.

    Raises:
        PageError: A header is damaged, or a page reaches beyond the chunk.
    """
    largest = total = 0
    position, end = start, start + num_bytes
    while position < end:
        length, uncompressed, compressed = _page_header(stream, position)
        if uncompressed < 0 or compressed < 0 or position + length + compressed > end + _SLACK_BYTES:
            raise PageError(f"the page at byte {position:,} reaches beyond its column chunk")
        largest = max(largest, uncompressed)
        total += uncompressed
        position += length + compressed
    return largest, total


def _page_header(stream: BinaryIO, position: int) -> tuple[int, int, int]:
    """Length of the header at a position, and the page's uncompressed and compressed sizes."""
    for num_bytes in _HEADER_READS:
        stream.seek(position)
        raw = stream.read(num_bytes)
        try:
            length, fields = _struct(raw, 0, 0)
        except IndexError:
            if len(raw) < num_bytes:
                break
            continue
        if _UNCOMPRESSED_SIZE_FIELD in fields and _COMPRESSED_SIZE_FIELD in fields:
            return length, fields[_UNCOMPRESSED_SIZE_FIELD], fields[_COMPRESSED_SIZE_FIELD]
        break
    raise PageError(f"there is no page header at byte {position:,}")


def _struct(raw: bytes, position: int, depth: int) -> tuple[int, dict[int, int]]:
    """The end of a struct, and its integer fields by id."""
    if depth > _MAX_DEPTH:
        raise PageError("a page header is nested too deeply")
    fields: dict[int, int] = {}
    identifier = 0
    while True:
        head = raw[position]
        position += 1
        if head == 0:
            return position, fields
        kind, delta = head & 15, head >> 4
        if delta:
            identifier += delta
        else:
            position, encoded = _varint(raw, position)
            identifier = _unzigzag(encoded)
        if kind in (4, 5, 6):
            position, encoded = _varint(raw, position)
            fields[identifier] = _unzigzag(encoded)
        else:
            position = _skip(raw, position, kind, depth)


def _skip(raw: bytes, position: int, kind: int, depth: int) -> int:
    if kind in (1, 2):
        return position
    if kind == 3:
        return position + 1
    if kind == 7:
        return position + 8
    if kind == 8:
        position, length = _varint(raw, position)
        return position + length
    if kind == _STRUCT:
        return _struct(raw, position, depth + 1)[0]
    raise PageError(f"a page header has a field of the type {kind}, which no version of the format has")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return position, value
        shift += 7
        if shift > 63:
            raise PageError("a page header has an integer of more than 64 bits")


def _unzigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
