"""Files whose cost is out of proportion to their bytes are refused by name, or told in few rows."""

from __future__ import annotations

import inspect
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.files.record import Fault
from pipelines.ingest.formats.python_definitions import MAX_NAME_CHARS, cleandoc
from pipelines.ingest.formats.python_source import MAX_TOKENS
from pipelines.ingest.many_faults import MAX_LISTED, Faults
from tests.ingest.support import read, read_bytes

PYTHON = {"format": "python-docs"}


def test_rows_without_bytes_are_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.nulls(3_000_000, pa.string())}), path)
    assert path.stat().st_size < 4096
    found = read(path)
    assert found.reasons == [("file", "bomb")]
    assert "records" in found.quarantined[0].fault.detail


def test_many_faults_are_told_in_few_rows_and_all_counted(tmp_path: Path) -> None:
    more = 5
    bad = [b"[]\n"] * (MAX_LISTED + more) + [b"{\n", b"[]\n", b'{"text": "a"}\n']
    found = read_bytes(tmp_path, "a.jsonl", b"".join(bad))
    assert found.texts == ["a"]
    assert len(found.quarantined) == MAX_LISTED + 2
    assert sum(row.fault.records for row in found.quarantined) == len(bad) - 1 == found.summary.quarantined
    told = {row.fault.reason: row.fault for row in found.quarantined[MAX_LISTED:]}
    assert told["not_an_object"].records == more + 1
    assert told["not_an_object"].line == MAX_LISTED + 1
    assert told["bad_json"].records == 1


def test_faults_behind_the_first_are_added_up_by_reason() -> None:
    faults = Faults(max_listed=1)
    given = [Fault(place, reason, reason) for place, reason in enumerate("abbab")]
    assert [faults.take(fault) for fault in given] == [True, False, False, False, False]
    assert [(other.reason, other.offset, other.records) for other in faults.others()] == [
        ("b", 1, 3),
        ("a", 3, 1),
    ]
    assert faults.total == 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a\n" * (MAX_TOKENS + 1), "too_large"),
        ("x = e" + "\u0301\u0323" * 1000, "too_large"),
        ("x = e" + "\uff9e\u0301" * 1000, "too_large"),
        ("x = f'" + "{a}" * 40_000 + "'", "too_large"),
        ("x = 1" + "+1" * 100_000, "too_deep"),
        ("x = " + "-" * 100_000 + "1", "too_deep"),
        ("x = a" + ".a" * 100_000, "too_deep"),
        ("x = a" + "()" * 100_000, "too_deep"),
        ("x = " + "(" * 100_000, "bad_syntax"),
        ("x = " + "[" * 199 + "a b" + "]" * 199, "too_deep"),
    ],
)
def test_source_that_would_cost_too_much_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    found = read_bytes(tmp_path, "a.py", content.encode(), **PYTHON)
    assert found.reasons == [("file", reason)]


def test_what_stands_in_strings_and_comments_is_no_word_of_the_source(tmp_path: Path) -> None:
    content = '"""' + "a b\n" * MAX_TOKENS + '"""\n#' + " a" * MAX_TOKENS + "\nx = 1\n"
    assert len(read_bytes(tmp_path, "a.py", content.encode(), **PYTHON).documents) == 1


def test_names_do_not_add_up(tmp_path: Path) -> None:
    content = f'class {"C" * MAX_NAME_CHARS}:\n def f(): "a"\n def g(): "b"\nclass D:\n def f(): "c"\n'
    found = read_bytes(tmp_path, "a.py", content.encode(), **PYTHON)
    assert found.texts == ["c"]
    assert found.reasons == [("row", "too_large")] * 2


def test_topics_on_one_line_have_their_own_offsets(tmp_path: Path) -> None:
    names = [f"é{number}" for number in range(50)]
    content = "# coding: latin-1\ntopics = {" + ", ".join(f'"{name}": "ü"' for name in names) + "}\n"
    raw = content.encode("latin-1")
    (tmp_path / "pydoc_data").mkdir()
    path = tmp_path / "pydoc_data" / "topics.py"
    path.write_bytes(raw)
    found = read(tmp_path, **PYTHON)
    assert [document.source_id for document in found.documents] == names
    for document in found.documents:
        assert raw[document.offset :].startswith(f'"{document.source_id}"'.encode("latin-1"))


@given(st.text(alphabet=" \t\nab\r\x0b\x0c\u00a0", max_size=30))
def test_docstrings_are_cleaned_as_inspect_does(text: str) -> None:
    assert cleandoc(text) == inspect.cleandoc(text)


def test_cleaning_is_linear_in_blank_lines() -> None:
    def seconds(size: int) -> float:
        text = "\n" * size + "a"
        took = []
        for _ in range(3):
            start = time.process_time()
            cleandoc(text)
            took.append(time.process_time() - start)
        return min(took)

    # Four times the size takes four times as long, not sixteen times.
    assert seconds(1_600_000) < 9 * seconds(400_000)
