"""Labels by the names of files, of every format without labels of its own, in linear time."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conf.errors import ConfigError
from conf.ingest import IngestConfig
from conf.patterns import first_group
from pipelines.files.record import Document
from pipelines.ingest.discover import discover
from pipelines.ingest.parts import parts_of
from pipelines.ingest.read_file import Quarantined, read_file, read_part
from pipelines.settings import load
from tests.ingest.support import read_bytes

BY_NAME = r"([^/]+)\.\w+$"


def test_each_document_has_the_label_of_its_file(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "pos.txt", "好书\n\n不错\n".encode(), label_pattern=BY_NAME)
    assert [(d.text, d.label) for d in found.documents] == [("好书", "pos"), ("不错", "pos")]
    rows = json.dumps({"text": "a", "label": "not this"}).encode()
    found = read_bytes(tmp_path, "neg.jsonl", rows, label_pattern=BY_NAME)
    assert [d.label for d in found.documents] == ["neg"]
    assert read_bytes(tmp_path, "neg.jsonl", rows).documents[0].label is None


def test_a_folder_may_be_the_label(tmp_path: Path) -> None:
    for name in ("good/a.txt", "bad/a.txt", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n", "utf-8")
    config = IngestConfig(inputs=(str(tmp_path),), label_pattern="^([^/]+)/")
    rows = {file.source: next(iter(read_file(file, config))) for file in discover(config)}
    labels = {source: row.label for source, row in rows.items() if isinstance(row, Document)}
    assert labels == {"good/a.txt": "good", "bad/a.txt": "bad"}
    refused = rows["a.txt"]
    assert isinstance(refused, Quarantined)
    assert (refused.scope, refused.fault.reason) == ("file", "missing_label")
    assert "'^([^/]+)/' is not found in 'a.txt'" in refused.fault.detail


def test_a_label_that_shows_nothing_is_none(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, " .txt", b"a\n", label_pattern=BY_NAME)
    assert found.reasons == [("file", "label_is_blank")]
    found = read_bytes(tmp_path, "b.txt", b"a\n", label_pattern=r"(x)?b")
    assert found.reasons == [("file", "label_is_blank")]


def test_a_file_in_parts_has_one_label_or_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / "pos.txt").write_bytes(b"0123456789\n" * 20_000)
    for pattern in (BY_NAME, "(x)y"):
        config = IngestConfig(inputs=(str(tmp_path),), label_pattern=pattern, split_bytes=2**16)
        (file,) = discover(config)
        rows = [row for part in parts_of(file, config) for row in read_part(part, config)]
        labels = [row.label for row in rows if isinstance(row, Document)]
        refused = [row for row in rows if isinstance(row, Quarantined)]
        assert (labels, len(refused)) == ((["pos"] * 20_000, 0) if pattern == BY_NAME else ([], 1))


@given(st.text("ab/.\n", max_size=12))
@example("b.a/a.b")
@pytest.mark.parametrize("pattern", ["(a+)", "^([^/]+)/", r"(?:^|/)([^/]*)\.b$", "(?i:B)(a|)", "(?s)b(.)"])
def test_the_first_group_is_that_of_the_first_match(pattern: str, text: str) -> None:
    # What Python's $ takes for the end before a last line feed is none to RE2.
    found = re.search(pattern.replace("$", r"\Z"), text)
    assert first_group(pattern, text) == (None if found is None else found[1] or "")


def test_no_name_makes_a_pattern_slow() -> None:
    began = time.process_time()
    assert first_group(r"^((?:a+)+)$", "a" * 4000 + "!") is None
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"label_pattern": "("}, "is no regular expression of RE2"),
        ({"label_pattern": r"(a)\1"}, "is no regular expression of RE2"),
        ({"label_pattern": "(?=a)(b)"}, "is no regular expression of RE2"),
        ({"label_pattern": "[^/]+"}, "has no group"),
        ({"label_pattern": r"\(a\)(?:b)"}, "has no group"),
        ({"label_pattern": "(a)", "label_field": "kind"}, "both say what a label is"),
        ({"label_pattern": "(a)", "format": "delta"}, "does not go with format delta"),
        ({"label_pattern": "(a)", "format": "squad"}, "does not go with format squad"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(None, [f"ingest.{key}={json.dumps(value)}" for key, value in settings.items()])
