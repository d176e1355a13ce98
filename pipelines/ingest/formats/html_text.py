"""The main text of an HTML page: what a reader came for, without menus, footers and comments.

The page is hostile. What an extractor costs is bounded by the page's size, the number of its tags and
the depth of their nesting, never by a clock, whose verdict would differ from machine to machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.record import Fault, excerpt
from pipelines.text.blank import is_blank
from pipelines.text.normal_form import nfc

# Which tags a parser leaves open does not depend on these: they are void, or closed by what follows.
_NEVER_NESTED = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option".split()
)

# resiliparse takes time quadratic in the depth: 10,000 levels take 1 s. Of 127 news pages the largest
# bound is 471, by markup in scripts, where their real depth is 51 at most.
_MAX_DEPTH_BOUND = 5_000

_TAG = re.compile(rb"<(/?)([a-zA-Z][^\s/>]{0,20})")


def main_text(page: str, config: IngestConfig) -> str | Fault:
    """The main text of a page, or why there is none; the fault's offset is 0.

    Args:
        page: The page's characters, free of NULs.
        config: The extractor and its limits.
    """
    raw = page.encode("utf-8", "replace")
    if len(raw) > config.max_html_bytes:
        return too_large("page", 0, len(raw), config.max_html_bytes, "max_html_bytes", raw[:1000])
    num_tags = raw.count(b"<")
    if num_tags > config.max_html_tags:
        detail = (
            f"the page has {num_tags:,} tags, the limit is {config.max_html_tags:,} (ingest.max_html_tags)"
        )
        return Fault(0, "too_large", detail, excerpt(raw[:1000]))
    if is_blank(page):
        return Fault(0, "no_main_text", "the page is blank")
    try:
        text = _EXTRACTORS[config.extractor](raw, page)
    except _TooDeep as error:
        return Fault(0, "too_deep", f"its elements are nested too deeply: {error}", excerpt(raw[:1000]))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a page does to its extractor, it costs that page
        detail = f"{config.extractor} failed on the page: {type(error).__name__}: {error!s:.200}"
        return Fault(0, "bad_html", detail, excerpt(raw[:1000]))
    text = text.strip()
    if is_blank(text):
        detail = f"{config.extractor} found no main text in {len(raw):,} bytes of HTML"
        return Fault(0, "no_main_text", detail, excerpt(raw[:1000]))
    if len(text.encode()) > config.max_document_bytes:
        size = len(text.encode())
        return too_large(
            "main text", 0, size, config.max_document_bytes, "max_document_bytes", text[:500].encode()
        )
    return text


class _TooDeep(Exception):
    """Elements are nested too deeply."""


def _trafilatura(raw: bytes, page: str) -> str:
    from lxml import html  # type: ignore[import-untyped]

    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False, default_doctype=False
    )
    tree = html.document_fromstring(raw, parser=parser)
    # libxml2 drops the rest of the page where it meets one of its limits (a depth of 255), and says so here.
    for entry in parser.error_log:
        if entry.level_name == "FATAL":
            raise _TooDeep(entry.message) if "depth" in entry.message else ValueError(entry.message)
    # Deduplication would compare a page with those that the process happens to have read before.
    return _trafilatura_extract()(tree, favor_precision=True, include_comments=False, deduplicate=False) or ""


@cache
def _trafilatura_extract() -> Callable[..., str | None]:
    """Trafilatura with a normal form C that takes linear time; what it gives stays the same."""
    import trafilatura
    from trafilatura import core

    replaced: Any = core
    replaced.normalize_unicode = lambda string, unicodeform="NFC": nfc(string)
    return trafilatura.extract


def _resiliparse(raw: bytes, page: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    bound = depth_bound(raw)
    if bound > _MAX_DEPTH_BOUND:
        raise _TooDeep(f"{bound:,} levels by its tags, the limit is {_MAX_DEPTH_BOUND:,}")
    return extract_plain_text(
        page, main_content=True, preserve_formatting=True, list_bullets=False, alt_texts=False
    )


_EXTRACTORS: dict[str, Callable[[bytes, str], str]] = {
    "trafilatura": _trafilatura,
    "resiliparse": _resiliparse,
}


def depth_bound(raw: bytes) -> int:
    """About how deep the elements of a page can be nested, by its tags alone.

    A closing tag counts only where one of its name is open: parsers ignore others. Markup inside scripts
    counts too, so that real pages are flatter than this.
    """
    still_open: dict[bytes, int] = {}
    depth = deepest = 0
    for match in _TAG.finditer(raw):
        name = match.group(2).lower()
        if name in _NEVER_NESTED:
            continue
        count = still_open.get(name, 0)
        if not match.group(1):
            still_open[name] = count + 1
            depth += 1
            deepest = max(deepest, depth)
        elif count:
            still_open[name] = count - 1
            depth -= 1
    return deepest
