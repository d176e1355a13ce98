"""How well and how fast the main text of HTML is found, by each extractor that ingest offers.

    python -m benchmarks extract --pages pages.warc.gz --truth ground_truth.jsonl

Quality is the mean over the pages of token precision, recall and F1 (tokens: runs of word characters in
lower case, as a multiset) against the texts that people marked. Speed is bytes of HTML per second of CPU
time, reading the WARC file included.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from conf.ingest import IngestConfig
from pipelines.files.record import Document
from pipelines.ingest import discover
from pipelines.ingest.read_file import Quarantined, read_file

_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True)
class Quality:
    """Shares from 0 to 1."""

    precision: float
    recall: float
    f1: float


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks extract")
    parser.add_argument("--pages", required=True, help="WARC file of the pages")
    parser.add_argument("--truth", required=True, help='JSONL with "url" and "text"')
    options = parser.parse_args(argv)
    lines = Path(options.truth).read_text(encoding="utf-8").splitlines()
    truth = {row["url"]: row["text"] for row in map(json.loads, lines)}
    for extractor in get_args(IngestConfig.model_fields["extractor"].annotation):
        print(measure(options.pages, truth, extractor))
    return 0


def measure(pages: str, truth: dict[str, str], extractor: str) -> str:
    """A line about one extractor."""
    config = IngestConfig.model_validate({"inputs": (pages,), "extractor": extractor})
    (file,) = discover(config)
    # The first time loads libraries.
    list(read_file(file, config))
    num_bytes = _html_bytes(pages)
    started = time.process_time()
    rows = list(read_file(file, config))
    seconds = time.process_time() - started
    found = {row.url: row.text for row in rows if isinstance(row, Document)}
    lost = sum(isinstance(row, Quarantined) for row in rows)
    scores = [quality(found.get(url, ""), text) for url, text in truth.items()]
    means = [
        sum(getattr(score, name) for score in scores) / len(scores) for name in ("precision", "recall", "f1")
    ]
    return (
        f"{extractor:12} precision {means[0]:.3f}  recall {means[1]:.3f}  F1 {means[2]:.3f}  "
        f"{num_bytes / seconds / 1e6:.1f} MB/s  {len(found)} pages, {lost} quarantined"
    )


def quality(found: str, wanted: str) -> Quality:
    """Token precision, recall and F1 of a text."""
    ours, theirs = (Counter(_TOKEN.findall(text.lower())) for text in (found, wanted))
    common = (ours & theirs).total()
    if not common:
        return Quality(0, 0, 0)
    return Quality(
        common / ours.total(), common / theirs.total(), 2 * common / (ours.total() + theirs.total())
    )


def _html_bytes(pages: str) -> int:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with Path(pages).open("rb") as stream:
        return sum(len(record.reader.read()) for record in ArchiveIterator(stream, WarcRecordType.response))
