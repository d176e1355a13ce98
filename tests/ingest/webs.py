"""Pages, WARC records and Parquet files for the tests, written by hand so that they can be wrong."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SENTENCES = (
    "The harbour master keeps a notebook of every storm that crosses the bay, and it fills nine volumes.",
    "Nobody asked for it, but people still come on the first Sunday of each month to see what it says.",
    "The work took longer than planned and cost less than the council had feared when it was begun.",
)


def page(number: int = 0, charset: str = "utf-8") -> bytes:
    """A page with a menu, a main text of three sentences and a footer."""
    paragraphs = "".join(f"<p>Entry {number}. {sentence}</p>" for sentence in SENTENCES)
    head = f'<head><meta charset="{charset}"><title>Entry {number}</title></head>'
    body = f"<nav><a href='/'>Home</a> | <a href='/about'>About us</a></nav><article>{paragraphs}</article>"
    return f"<!doctype html><html>{head}<body>{body}<footer>contact</footer></body></html>".encode()


def http(body: bytes, status: str = "200 OK", content_type: str = "text/html", **headers: str) -> bytes:
    """An HTTP response."""
    fields = {"Content-Type": content_type, **{name.replace("_", "-"): v for name, v in headers.items()}}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def sha1(content: bytes) -> str:
    """A digest as WARC files have it."""
    return "sha1:" + base64.b32encode(hashlib.sha1(content).digest()).decode()


def record(
    block: bytes, kind: str = "response", number: int = 0, length: int | None = None, **fields: str
) -> bytes:
    """A WARC record; `length` states another length than its block has."""
    headers = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:0000-{number}>",
        "WARC-Date": "2026-03-01T12:00:00Z",
        "WARC-Target-URI": f"https://example.org/{number}",
        "Content-Type": "text/plain" if kind == "conversion" else "application/http; msgtype=response",
        **{name.replace("_", "-"): value for name, value in fields.items()},
        "Content-Length": str(len(block) if length is None else length),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"WARC/1.1\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def responses(count: int = 6) -> list[bytes]:
    """Good response records."""
    return [record(http(page(number)), number=number) for number in range(count)]


def members(records: list[bytes]) -> bytes:
    """A gzip file with one member a record."""
    return b"".join(map(gzip.compress, records))


def parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    """A Parquet file."""
    target = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), target, **options)
    return target.getvalue()
