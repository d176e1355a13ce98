"""WARC: the pages of a crawl; and WET: the texts that somebody extracted from them.

A response with status 200 and HTML is a record, and its main text the document. Requests, metadata,
images and error pages were never meant to be documents: they are no records, and `sources` counts what
was skipped by what it is. A record whose length or digest is wrong is a fault.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from fastwarc.warc import HeaderMap

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.gzip_members import open_members
from pipelines.files.record import Document, Fault, Skipped, excerpt, repair
from pipelines.files.utf8 import decode
from pipelines.ingest.formats.http_body import BodyError, decoded_body
from pipelines.ingest.formats.read_html import page_document
from pipelines.ingest.formats.warc_digests import digest_matches
from pipelines.ingest.formats.warc_records import WarcRecord, read_records
from pipelines.text.blank import is_blank

Judge = Callable[[WarcRecord, IngestConfig], Document | Fault | Skipped]

# The block of a response has HTTP headers in front of the page.
_HTTP_HEADER_BYTES = 2**18

_RECORD_TYPES = frozenset(
    ["warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation"]
)

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})

_HTTP_END = re.compile(rb"\r?\n\r?\n")
_LINE_BREAK = re.compile(rb"\r?\n")

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
    http_head, body = _split_http(record.block)
    http = HeaderMap()
    try:
        http.parse(io.BytesIO(http_head))
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
    # Crawlers do not agree on whether the payload of a chunked response is what came or what it meant.
    transfer = _joined(http, "transfer-encoding")
    payload = None if transfer else body
    fault = _wrong_digest(record, payload) or _wrong_http_length(record, http, body)
    if fault is not None:
        return fault
    try:
        decoded = decoded_body(body, transfer, _joined(http, "content-encoding"), config.max_html_bytes + 1)
    except BodyError as error:
        return _fault(record, "bad_http", f"its body cannot be decoded: {error!s:.200}")
    if decoded.cut is not None and "warc-truncated" not in record.headers:
        return _fault(record, "bad_http", f"its body is cut: {decoded.cut}; no WARC-Truncated says so")
    page = decoded.content
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
        metadata=_metadata(record, content_type=content_type, http_status="200", body_cut=decoded.cut),
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
    if is_blank(repaired):
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


def _split_http(block: bytes) -> tuple[bytes, bytes]:
    """The HTTP headers with line breaks as the standard has them, and the body.

    Some servers send bare line feeds, which browsers take, and FastWARC does not.
    """
    end = _HTTP_END.search(block, 0, _HTTP_HEADER_BYTES)
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    return _LINE_BREAK.sub(b"\r\n", head) + b"\r\n\r\n", body


def _joined(http: HeaderMap, name: str) -> str:
    """The values of a header field, which may come several times, as one list."""
    return ", ".join(value for key, value in http.items() if key.lower() == name)


def _wrong_digest(record: WarcRecord, payload: bytes | None) -> Fault | None:
    for name, content in (("warc-block-digest", record.block), ("warc-payload-digest", payload)):
        stated = record.headers.get(name)
        if stated is not None and content is not None and digest_matches(stated, content) is False:
            detail = f"its bytes do not have the digest {stated!r:.100} that {name} states"
            return _fault(record, "bad_digest", detail)
    return None


def _wrong_http_length(record: WarcRecord, http: HeaderMap, body: bytes) -> Fault | None:
    """A body shorter than HTTP says, where nothing says that the crawler stored it so."""
    stated = http.get("Content-Length") or ""
    if _joined(http, "transfer-encoding"):
        return None  # RFC 9112, 6.3: the chunks tell the length
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
