"""The generated corpora: of the size and shape asked for, the same each time; the table of sizes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import generated, size

DOCUMENTS = [
    f"Document {number} says: {' '.join(f'word{(number * 31 + i * 7) % 500}' for i in range(40))}.\nBye!"
    for number in range(120)
]


def texts(folder: Path) -> list[str]:
    lines = [line for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]
    return [json.loads(line)["text"] for line in lines]


def test_a_corpus_is_the_documents_and_then_copies_with_other_words(tmp_path: Path) -> None:
    wanted = 100_000
    count = generated.ordinary(tmp_path / "one", DOCUMENTS, wanted)
    generated.ordinary(tmp_path / "two", DOCUMENTS, wanted)
    found = texts(tmp_path / "one")
    assert len(found) == count > 2 * len(DOCUMENTS)
    assert found == texts(tmp_path / "two")
    assert found[: len(DOCUMENTS)] == DOCUMENTS
    written = sum(file.stat().st_size for file in (tmp_path / "one").iterdir())
    assert wanted <= written < wanted + 1000
    copies = found[len(DOCUMENTS) : 2 * len(DOCUMENTS)]
    pairs = [
        pair
        for one, two in zip(DOCUMENTS, copies, strict=True)
        for pair in zip(one.split(), two.split(), strict=True)
    ]
    changed = sum(one != two for one, two in pairs) / len(pairs)
    assert 0.2 < changed < 0.35
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("shape", sorted(generated.SHAPES))
def test_every_shape_is_what_its_name_says(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generated, "FILES", 50)
    monkeypatch.setattr(generated, "CLUSTER", 100)
    monkeypatch.setattr(generated, "LARGE", 10_000)
    wanted = 60_000
    count = generated.SHAPES[shape](tmp_path, DOCUMENTS, wanted)
    files = sorted(tmp_path.iterdir())
    if shape == "one-gzip":
        (file,) = files
        lines = gzip.decompress(file.read_bytes()).decode().splitlines()
        assert sum(len(line) + 1 for line in lines) >= wanted
        assert len(lines) == count
        return
    found = texts(tmp_path)
    assert len(found) == count
    assert sum(file.stat().st_size for file in files) >= wanted
    if shape == "many-files":
        assert 40 <= len(files) <= 50
    if shape == "large-documents":
        assert all(8_000 < len(text) <= 10_000 for text in found)
    if shape == "three-words":
        assert all(len(text.split(" ")) == 3 for text in found)
    if shape == "one-cluster":
        assert sum(text.startswith(DOCUMENTS[0][:40]) for text in found) >= 40


def test_stages_whose_rates_differ_by_more_than_a_quarter_are_marked() -> None:
    def found(gigabytes: float, dedup: float) -> dict[str, Any]:
        names = ("seconds", "fixed_seconds", "peak_bytes", "shuffled_bytes", "processor_seconds")
        row = dict.fromkeys(names, 1.0)
        rates = dict.fromkeys(size.STAGES, 10.0) | {"dedup": dedup}
        stages = {stage: row | {"mb_per_second": rate, "scratch_bytes": 1.0} for stage, rate in rates.items()}
        common = {"shape": "ordinary", "master": "local[2]", "machine": {}}
        return {"gigabytes": gigabytes, "stages": stages} | common

    lines = size.text([found(1, 10.0), found(3, 7.4)]).splitlines()
    assert any(line.split()[0] == "dedup" and line.split()[-1] == "NO" for line in lines if line)
    assert any(line.split()[0] == "clean" and line.split()[-1] == "yes" for line in lines if line)
