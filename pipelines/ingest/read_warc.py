"""WARC: the pages of a crawl; and WET: the texts that somebody extracted from them.

A response with status 200 and HTML is a record, and its main text the document. Requests, metadata,
images and error pages were never meant to be documents: they are no records, and `sources` counts what
was skipped by what it is. A record whose length or digest is wrong is a fault.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, HeaderMap

from conf.data import IngestConfig
from pipelines.ingest.decompress import too_large
from pipelines.ingest.gzip_members import GZIP_MAGIC, open_members
from pipelines.ingest.read_html import page_document
from pipelines.ingest.record import Document, Fault, Skipped, excerpt, repair
from pipelines.ingest.utf8 import decode
from pipelines.ingest.warc_digests import digest_matches
from pipelines.ingest.warc_records import WarcRecord, read_records

Judge = Callable[[WarcRecord, IngestConfig], Document | Fault | Skipped]

# The block of a response has HTTP headers in front of the page.
_HTTP_HEADER_BYTES = 2**18

_RECORD_TYPES = frozenset(
    ["warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation"]
)

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})

_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.I)


def read_warc(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    """The main texts of the HTML pages in a WARC file, and a fault for each that cannot be had.

    Raises:
        FileFault: The file is no WARC file, or nothing of it can be trusted.
    """
    return _read(stream, config, config.max_html_bytes + _HTTP_HEADER_BYTES, _page)


def read_wet(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    """The texts of the conversion records in a WET file, and a fault for each that cannot be had.

    Raises:
        FileFault: The file is no WARC file, or nothing of it can be trusted.
    """
    return _read(stream, config, config.max_document_bytes, _plain_text)


def _read(
    stream: BinaryIO, config: IngestConfig, max_block_bytes: int, judge: Judge
) -> Iterator[Document | Fault | Skipped]:
    content, broken = open_members(stream, config)
    cut: Fault | None = None
    for record in read_records(content, max_block_bytes):
        if cut is not None:
            yield cut
            cut = None
        if isinstance(record, WarcRecord):
            yield judge(record, config)
        elif broken is not None and record.reason == "truncated":
            # If nothing follows, it is cut because its member of the gzip file is: one fault, not two.
            cut = record
        else:
            yield record
    if broken is not None:
        yield broken


def _page(record: WarcRecord, config: IngestConfig) -> Document | Fault | Skipped:
    kind = record.headers.get("warc-type", "").lower()
    if kind != "response":
        return Skipped(kind if kind in _RECORD_TYPES else "unknown record type")
    if not record.headers.get("content-type", "application/http").lower().startswith("application/http"):
        return Skipped("response without HTTP")
    http = HeaderMap()
    try:
        header_bytes = http.parse(io.BytesIO(record.block))
    except (OSError, ValueError) as error:
        return _fault(record, "bad_http", f"its HTTP headers cannot be read: {error!s:.200}")
    if http.status_code is None:
        return _fault(record, "bad_http", "it has no HTTP status line")
    if http.status_code != 200:
        return Skipped("HTTP status other than 200")
    content_type = http.get("Content-Type") or record.headers.get("warc-identified-payload-type", "")
    if content_type.partition(";")[0].strip().lower() not in _HTML_TYPES:
        return Skipped("response other than HTML")
    if not record.is_whole:
        return _too_large(record, record.size, config)
    body = record.block[header_bytes:]
    fault = _wrong_digest(record, body) or _wrong_http_length(record, http, body)
    if fault is not None:
        return fault
    try:
        page = _decoded_body(record, http, config.max_html_bytes + 1)
    except (OSError, ValueError) as error:
        return _fault(record, "bad_http", f"its body cannot be decoded: {error!s:.200}")
    if len(page) > config.max_html_bytes:
        return _too_large(record, None, config)
    charset = _CHARSET.search(content_type)
    return page_document(
        raw=page,
        charset=charset.group(1) if charset else None,
        config=config,
        offset=record.offset,
        source_id=_header(record, "warc-record-id"),
        url=(_header(record, "warc-target-uri") or "").strip("<>") or None,
        metadata=_metadata(record, content_type=content_type, http_status="200"),
    )


def _plain_text(record: WarcRecord, config: IngestConfig) -> Document | Fault | Skipped:
    kind = record.headers.get("warc-type", "").lower()
    if kind != "conversion":
        return Skipped(kind if kind in _RECORD_TYPES else "unknown record type")
    content_type = record.headers.get("content-type", "text/plain")
    if content_type.partition(";")[0].strip().lower() != "text/plain":
        return Skipped("conversion other than text")
    if not record.is_whole:
        limit = config.max_document_bytes
        return _at(record, too_large("text", record.offset, record.size, limit, "max_document_bytes"))
    fault = _wrong_digest(record, record.block)
    if fault is not None:
        return fault
    text = decode(record.block, record.offset + len(record.header), 1)
    if isinstance(text, Fault):
        return Fault(text.offset, text.reason, text.detail, text.excerpt)
    repaired, changed = repair(text.removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n"))
    if not repaired.strip():
        return _fault(record, "no_main_text", "its text is blank")
    return Document(
        offset=record.offset,
        source_id=_header(record, "warc-record-id"),
        kind="record",
        text=repaired,
        repaired=changed,
        url=(_header(record, "warc-target-uri") or "").strip("<>") or None,
        metadata=_metadata(record, languages=record.headers.get("warc-identified-content-language")),
    )


def _decoded_body(record: WarcRecord, http: HeaderMap, max_bytes: int) -> bytes:
    """The first bytes of the HTTP body without transfer and content encodings.

    Raises:
        ValueError: The body is cut.
        OSError: The body cannot be decoded.
    """
    raw = io.BytesIO(record.header + record.block + b"\r\n\r\n")
    found = next(iter(ArchiveIterator(raw, parse_http=False, stream_detect=False)))
    # FastWARC gives as much of a cut gzip stream as there is, without a word.
    is_gzip = (http.get("Content-Encoding") or "").strip().lower() in ("gzip", "x-gzip")
    found.parse_http(auto_decode="transfer" if is_gzip else "all", max_header_len=_HTTP_HEADER_BYTES)
    body = found.reader.read() if is_gzip else found.reader.read(max_bytes)
    if not is_gzip or not body.startswith(GZIP_MAGIC):
        # Some crawlers store the decoded body under the header of the encoded one.
        return body[:max_bytes]
    stream = zlib.decompressobj(wbits=31)
    try:
        page = stream.decompress(body, max_bytes)
    except zlib.error as error:
        raise ValueError(f"its gzip stream is damaged ({error})") from None
    if len(page) < max_bytes and not stream.eof and "warc-truncated" not in record.headers:
        raise ValueError("its gzip stream is cut")
    return page


def _wrong_digest(record: WarcRecord, payload: bytes) -> Fault | None:
    for name, content in (("warc-block-digest", record.block), ("warc-payload-digest", payload)):
        stated = record.headers.get(name)
        if stated is not None and digest_matches(stated, content) is False:
            detail = f"its bytes do not have the digest {stated!r:.100} that {name} states"
            return _fault(record, "bad_digest", detail)
    return None


def _wrong_http_length(record: WarcRecord, http: HeaderMap, body: bytes) -> Fault | None:
    """A body shorter than HTTP says, where nothing says that the crawler stored it so."""
    stated = http.get("Content-Length") or ""
    if "warc-block-digest" in record.headers or "warc-truncated" in record.headers or not stated.isdecimal():
        return None
    if len(stated) < 16 and int(stated) <= len(body):
        return None
    detail = f"HTTP promises {stated:.20} bytes, the record has {len(body):,}, and no digest vouches for them"
    return _fault(record, "bad_length", detail)


def _metadata(record: WarcRecord, **others: str | None) -> dict[str, str]:
    found = {
        "warc_date": record.headers.get("warc-date"),
        "warc_truncated": record.headers.get("warc-truncated"),
        **others,
    }
    return {name: repair(value)[0] for name, value in found.items() if value}


def _header(record: WarcRecord, name: str) -> str | None:
    value = record.headers.get(name)
    return None if value is None else repair(value)[0]


def _fault(record: WarcRecord, reason: str, detail: str) -> Fault:
    return Fault(record.offset, reason, detail, excerpt(record.header[:1000]))


def _at(record: WarcRecord, fault: Fault) -> Fault:
    return Fault(fault.offset, fault.reason, fault.detail, excerpt(record.header[:1000]))


def _too_large(record: WarcRecord, size: int | None, config: IngestConfig) -> Fault:
    limit = config.max_html_bytes
    return _at(record, too_large("page", record.offset, size, limit, "max_html_bytes"))
