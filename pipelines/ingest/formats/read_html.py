"""HTML: one file, one page, one document: its main text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.record import Document, Fault, FileFault, repair
from pipelines.ingest.formats.html_encoding import decode_page
from pipelines.ingest.formats.html_text import main_text


def read_html(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The main text of an HTML file.

    Raises:
        FileFault: The page is too large, declared in an encoding that no browser decodes,
            nested too deeply, breaks the extractor or has no main text.
    """
    raw = stream.read(config.max_html_bytes + 1)
    if not raw.strip():
        return
    if len(raw) > config.max_html_bytes:
        raise FileFault(too_large("page", 0, None, config.max_html_bytes, "max_html_bytes", raw[:1000]))
    found = page_document(raw, None, config, 0)
    if isinstance(found, Fault):
        raise FileFault(found)
    yield found


def page_document(
    raw: bytes,
    charset: str | None,
    config: IngestConfig,
    offset: int,
    source_id: str | None = None,
    url: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Document | Fault:
    """The document of a page's bytes, or why there is none.

    Args:
        raw: The page, no larger than `ingest.max_html_bytes`.
        charset: The encoding that its HTTP header declares.
        config: The extractor and its limits.
        offset: Where the page's record begins in the decompressed file.
        source_id: The id its source gave it.
        url: Its address.
        metadata: What else its source says of it.
    """
    try:
        decoded, was_replaced = decode_page(raw, charset)
    except FileFault as error:
        return replace(error.fault, offset=offset)
    page, was_repaired = repair(decoded)
    text = main_text(page, config)
    if isinstance(text, Fault):
        return Fault(offset, text.reason, text.detail, text.excerpt)
    # An entity can stand for a character that no text may have.
    text, text_repaired = repair(text)
    repaired = was_replaced or was_repaired or text_repaired
    return Document(offset, source_id, "page", text, repaired, url, metadata=metadata or {})
