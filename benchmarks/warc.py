"""Web archives beside datatrove: pages out of a WARC file, their main text, and how good it is.

python -m benchmarks warc                                    one and two cores; about 2 minutes
python -m benchmarks warc --warc crawl.warc.gz --cores 1

Without --warc it takes shared/data/web/pages.warc.gz beside the checkout (127 article pages and their text as
people marked it), or makes a WARC of pages from the documentation of the Python installation. ringlake is the
ingest stage in Spark on local[N]; datatrove are its WarcReader and its Trafilatura, with FineWeb's settings.
The archive is cut into as many files as there are cores. Its responses are marked as HTML, as those of Common
Crawl are (WARC-Identified-Payload-Type): where they are not, datatrove asks libmagic, which took 71 of these
pages for JavaScript and dropped them.
"""

from __future__ import annotations

import argparse
import gzip
import html
import json
import re
import statistics
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import corpus, peers, side_by_side
from conf.ingest import IngestConfig

SHARED = corpus.ROOT.parent / "shared" / "data" / "web" / "pages.warc.gz"

TRUTH = "ground_truth.jsonl"
"""Beside a WARC: lines with `url` and the main `text` of its pages."""

PEER_SCRIPT = "peer_warc.py"

_WORD = re.compile(r"\w+")
_MADE_PAGES, _MADE_MEGABYTES = 400, 2.0


def main(argv: list[str]) -> int:
    """Measures both in turn and prints a table, or JSON."""
    parser = side_by_side.options_of("warc", __doc__, "folder for the text of made pages")
    parser.add_argument("--warc", type=Path, help="gzipped WARC file, a member a record")
    return side_by_side.run("warc", parser, argv, measure, compare, text)


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Rates of both, and how well their texts agree with the marked ones."""
    given: Path = options.warc or SHARED
    if not given.is_file():
        given = make_warc(folder / "made.warc.gz", corpus.texts(options.keep or folder, _MADE_MEGABYTES))
    truth = read_truth(given.with_name(TRUTH))
    records = [identified(record) for record in members(given)]
    pages = sum(record.count(b"WARC-Type: response", 0, 1000) for record in records)
    present = peers.python_of(corpus.ENVIRONMENT) is not None
    results: dict[str, dict[str, Any]] = {}
    for cores in map(int, options.cores.split(",")):
        place = folder / str(cores)
        (place / "in").mkdir(parents=True)
        for core in range(cores):
            cut(records, core, cores, place / "in" / f"{core}.warc.gz")
        arguments = ["--keep", str(place), "--rounds", str(options.rounds)]
        found = {"ringlake": corpus.own("warc", arguments, cores)}
        if present:
            found["datatrove"] = corpus.of_peer(PEER_SCRIPT, [str(place), str(cores)], cores)
        rows = {name: row(each, records, pages, truth) for name, each in found.items()}
        for each in rows.values():
            own = rows["ringlake"]
            each["ratio"] = own["mb_per_second"] / each["mb_per_second"] if own["pages"] else None
            each["cpu_ratio"] = own["mb_per_cpu_second"] / each["mb_per_cpu_second"] if own["pages"] else None
        results[str(cores)] = rows
    return {
        "warc": given.name,
        "pages": pages,
        "bytes": sum(map(len, records)),
        "marked": len(truth),
        "results": results,
        "missing": [] if present else [peers.missing("datatrove")],
    }


def measure(cores: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of the ingest stage and the texts it reads, by address; in a fresh process."""
    from pipelines.ingest.stage import ingest

    spark = corpus.open_spark(cores, "warc")
    config = IngestConfig(inputs=(str(folder / "in"),))
    costs = [corpus.run_stage(lambda: ingest(spark, config)) for _ in range(rounds + 1)][1:]
    rows = ingest(spark, config).tables["documents"].select("url", "text").collect()
    spark.stop()
    return {
        "seconds": statistics.median(cost.seconds for cost in costs),
        "cpu_seconds": statistics.median(cost.cpu_seconds for cost in costs),
        "texts": {row["url"]: row["text"] for row in rows},
        "version": "",
    }


def row(
    found: Mapping[str, Any], records: Sequence[bytes], pages: int, truth: Mapping[str, str]
) -> dict[str, Any]:
    """Rates and agreement of one."""
    cost = corpus.Cost(found["seconds"], found["cpu_seconds"])
    scores = [f1(found["texts"].get(url, ""), marked) for url, marked in truth.items()]
    return {
        **cost.rates(sum(map(len, records))),
        "pages_per_second": pages / cost.seconds,
        "pages": len(found["texts"]),
        "f1": statistics.fmean(scores) if scores else None,
        "version": found["version"],
    }


def f1(found: str, marked: str) -> float:
    """Agreement of two texts as sets of 4-grams of words with their counts, 0 to 1."""
    one, other = _grams(found), _grams(marked)
    common = (one & other).total()
    total = one.total() + other.total()
    return 2 * common / total if total else 1.0


def _grams(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    return Counter(tuple(words[at : at + 4]) for at in range(max(1, len(words) - 3)))


def read_truth(path: Path) -> dict[str, str]:
    """The marked text by address; empty if there is none."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {value["url"]: value["text"] for value in map(json.loads, lines)}


def members(path: Path) -> Iterator[bytes]:
    """The records of a WARC file in which each is a gzip member of its own."""
    data = path.read_bytes()
    while data:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        yield member.decompress(data)
        data = member.unused_data


def identified(record: bytes) -> bytes:
    """A response with the header that says what it is, if it has none."""
    head = record[: record.find(b"\r\n\r\n")]
    if b"WARC-Type: response" not in head or b"WARC-Identified-Payload-Type" in head:
        return record
    return record.replace(b"\r\n", b"\r\nWARC-Identified-Payload-Type: text/html\r\n", 1)


def cut(records: Sequence[bytes], core: int, cores: int, path: Path) -> None:
    """Write every so many records to a file."""
    with path.open("wb") as out:
        for record in records[core::cores]:
            out.write(gzip.compress(record, mtime=0))


def make_warc(path: Path, documents: Sequence[str]) -> Path:
    """Pages with a menu and a footer around paragraphs of the documents; TRUTH is written beside."""
    truth = []
    with path.open("wb") as out:
        for number in range(min(_MADE_PAGES, len(documents))):
            url = f"https://example.org/{number}"
            marked = "\n\n".join(documents[number::_MADE_PAGES])
            truth.append({"url": url, "text": marked})
            body = "".join(f"<p>{html.escape(part)}</p>" for part in marked.split("\n\n"))
            menu = "".join(f'<li><a href="/{n}">Page {n}</a></li>' for n in range(40))
            page = f"<html><head><title>{number}</title></head><body><nav><ul>{menu}</ul></nav>"
            page += f"<article>{body}</article><footer>All rights reserved</footer></body></html>"
            out.write(gzip.compress(_response(url, page.encode()), mtime=0))
    path.with_name(TRUTH).write_text("".join(json.dumps(line) + "\n" for line in truth), encoding="utf-8")
    return path


def _response(url: str, page: bytes) -> bytes:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
    head = f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:x:{url}>\r\nWARC-Target-URI: {url}\r\n"
    head += "WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
    return f"{head}Content-Length: {len(answer)}\r\n\r\n".encode() + answer + b"\r\n\r\n"


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    lines = [f"{value['warc']}: {value['pages']:,} pages, {value['bytes'] / 1e6:.1f} MB unpacked\n"]
    for cores, of in value["results"].items():
        head = [f"on {cores} core(s)", "MB/s", "pages/s", "ratio", "MB/CPU s", "CPU ratio", "texts", "F1"]
        rows = []
        for name, row in of.items():
            cells = [f"{name} {row['version']}".strip()]
            cells += [f"{row[key]:.2f}" for key in ("mb_per_second", "pages_per_second")]
            cells.append("-" if row["ratio"] is None else f"{row['ratio']:.2f}")
            cells.append(f"{row['mb_per_cpu_second']:.2f}")
            cells.append("-" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}")
            cells += [f"{row['pages']:,}", "-" if row["f1"] is None else f"{row['f1']:.3f}"]
            rows.append(cells)
        lines.append(corpus.table_text(head, rows))
        if not of["ringlake"]["pages"]:
            lines.append("ringlake: this version reads no WARC files\n")
    lines.append(f"F1: mean over {value['marked']} pages with a marked text, of 4-grams of words\n")
    lines += [f"{line}\n" for line in value["missing"]]
    lines.append(f"python -m benchmarks {' '.join(value['command'])}\n{json.dumps(value['machine'])}\n")
    return "\n".join(lines)
