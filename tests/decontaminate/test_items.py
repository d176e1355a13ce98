"""Evaluation files: every layout, and what is refused with which message."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from conf.decontaminate import DecontaminateConfig, EvalSet
from pipelines.clean.forms import CleanedForms
from pipelines.decontaminate.index import build_index
from pipelines.decontaminate.items import files_hash, read_items
from pipelines.errors import InputError

MAX = 10_000


def items(path: Path, **options: object) -> list[tuple[str, list[str]]]:
    return list(read_items(EvalSet.model_validate({"path": str(path), **options}), MAX))


def test_jsonl_with_all_strings_or_named_fields(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text('{"id": 7, "q": "why", "choices": ["a", {"t": "b"}]}\n\n{"q": "how", "n": 3}\n')
    assert items(path) == [("7", ["why", "a", "b"]), ("3", ["how"])]
    assert items(path, fields=["q"], id_field="n") == [("1", ["why"]), ("3", ["how"])]
    with pytest.raises(InputError, match="item 3 has no field 'choices'"):
        items(path, fields=["choices"])


def test_tsv_by_number_and_by_header(tmp_path: Path) -> None:
    path = tmp_path / "set.tsv.gz"
    path.write_bytes(gzip.compress(b'id\ttext\tlabel\nx\tone "two\tpos\r\ny\tthree\tneg\n'))
    assert items(path, fields=["2"]) == [("1", ["text"]), ("2", ['one "two']), ("3", ["three"])]
    assert items(path, fields=["text", "label"]) == [("x", ['one "two', "pos"]), ("y", ["three", "neg"])]
    with pytest.raises(InputError, match="no column 'answer'"):
        items(path, fields=["answer"])
    with pytest.raises(InputError, match="line 1 has 3 columns only"):
        items(path, fields=["4"])


def test_text_and_lists_of_objects(tmp_path: Path) -> None:
    path = tmp_path / "set.txt"
    path.write_text("one\n\n  \ntwo\n")
    assert items(path) == [("1", ["one"]), ("4", ["two"])]
    path = tmp_path / "set.json"
    path.write_text('[{"id": "a", "text": "one \\ud800"}]')
    assert items(path) == [("a", ["one \ufffd"])]


def test_squad_layout(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "qa" / "xquad_en.json"
    found = list(read_items(EvalSet(path=str(path), fields=("question",)), 2**20))
    value = json.loads(path.read_text())
    questions = [q for a in value["data"] for p in a["paragraphs"] for q in p["qas"]]
    assert found == [(q["id"], [q["question"]]) for q in questions]
    assert len(found) == 910
    both = next(read_items(EvalSet(path=str(path)), 2**20))
    assert both[1] == [value["data"][0]["paragraphs"][0]["context"], questions[0]["question"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"{", "line 1 is no valid JSON"),
        ("a.jsonl", b"[1]", "no JSON object"),
        ("a.json", b"{}", "SQuAD"),
        ("a.json", b"[" * 100_000, "bytes"),
        ("a.json", b"[" * 9_000, "no valid JSON"),
        ("a.txt", b"\xff\xfe", "not UTF-8 at byte 0"),
        ("a.csv", b"x", "extension"),
        ("a.txt.gz", gzip.compress(b"x" * 50_000), r"10,000 bytes \(decontaminate.max_file_bytes\)"),
        ("a.txt.gz", gzip.compress(b"x y z " * 50)[:-12], "Truncated"),
        ("a.txt.gz", b"plain", "promises gzip"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        items(path)


def test_missing_files_equal_names_and_too_many_ngrams(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(" ".join(f"w{n}" for n in range(30)))
    with pytest.raises(InputError, match="max_ngrams = 10"):
        build_index(
            DecontaminateConfig.model_validate({"sets": [str(path)], "max_ngrams": 10}), CleanedForms()
        )
    with pytest.raises(InputError, match=r"called 'a\.txt'"):
        build_index(DecontaminateConfig.model_validate({"sets": [str(path), str(path)]}), CleanedForms())
    with pytest.raises(InputError, match="cannot be read"):
        files_hash(DecontaminateConfig.model_validate({"sets": [str(tmp_path / "none.txt")]}))


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    config = DecontaminateConfig.model_validate({"sets": [str(path)]})
    path.write_text("one")
    before = files_hash(config)
    path.write_text("two")
    assert files_hash(config) != before
    assert files_hash(DecontaminateConfig()) == ""
