"""Real corpora, where they lie beside the checkout, come in whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.ingest.support import read


def test_sentence_pairs_with_literal_quotes_lose_nothing(shared_data: Path) -> None:
    path = shared_data / "translation" / "tatoeba_en_zh.tsv.gz"
    fields = {"text_field": "1", "target_field": "2", "metadata_fields": ("3",)}
    found = read(path, header=False, **fields)
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    assert len(rows) == 26_206
    assert [[d.text, d.target, d.metadata["3"]] for d in found.documents] == rows
    assert not found.quarantined


def test_labelled_lines_lose_nothing(shared_data: Path) -> None:
    path = shared_data / "sentiment" / "sentence_polarity.tsv.gz"
    found = read(path, header=False, columns=("label", "text"), label_field="label")
    labels = [d.label for d in found.documents]
    assert (labels.count("pos"), labels.count("neg"), found.quarantined) == (4273, 4264, [])


def test_paragraphs_in_many_languages_keep_their_language(shared_data: Path) -> None:
    found = read(shared_data / "multilingual" / "udhr2.jsonl", metadata_fields=("lang",))
    assert len(found.documents) == 1514
    assert len({d.metadata["lang"] for d in found.documents}) == 43
    assert not found.quarantined


@pytest.mark.parametrize(("extractor", "least_recall"), [("trafilatura", 0.97), ("resiliparse", 0.97)])
def test_every_page_of_a_crawl_is_a_document(shared_data: Path, extractor: str, least_recall: float) -> None:
    found = read(shared_data / "web" / "pages.warc.gz", extractor=extractor)
    lines = (shared_data / "web" / "ground_truth.jsonl").read_text(encoding="utf-8").splitlines()
    truth = {row["url"]: row["text"] for row in map(json.loads, lines)}
    assert (len(found.documents), found.quarantined) == (127, [])
    assert found.summary.skipped == {"warcinfo": 1}
    assert [d.url for d in found.documents] == list(truth)
    recalls = [_recall(d.text, truth[d.url or ""]) for d in found.documents]
    assert sum(recalls) / len(recalls) > least_recall


def _recall(found: str, wanted: str) -> float:
    ours, theirs = set(found.lower().split()), set(wanted.lower().split())
    return len(ours & theirs) / len(theirs)
