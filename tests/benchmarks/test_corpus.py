"""The corpus benchmarks plant what they say, count what they say, and cut without loss."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus, filters, planted, scale, usage, warc
from benchmarks.readers import MARK
from schemas import TABLES

WORDS = [f"word{number}" for number in range(500)]


def documents(number: int) -> list[str]:
    draw = random.Random(1)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(80, 400))) for _ in range(number)]


def test_planted_copies_have_the_similarity_that_is_told_and_fill_every_band() -> None:
    base = documents(120)
    texts, pairs = planted.plant(base, 30)
    assert texts[: len(base)] == base
    assert len(texts) == len(base) + len(pairs)
    assert [sum(low <= pair.similarity < high for pair in pairs) for low, high in planted.BANDS] == [10] * 3
    for pair in pairs:
        one, other = (text.split() for text in (texts[pair.first], texts[pair.second]))
        sets = [{tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (one, other)]
        assert pair.similarity == len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    assert planted.plant(base, 30) == (texts, pairs)


def test_recall_counts_pairs_in_one_cluster() -> None:
    pairs = [planted.Pair(0, 4, 0.75), planted.Pair(1, 5, 0.75), planted.Pair(2, 6, 0.85)]
    found = planted.recall(pairs, {0: 9, 4: 9, 1: 1, 5: 2}, bands=14, rows=8)
    assert [row["recall"] for row in found[:2]] == [0.5, 0.0]
    assert [row["pairs"] for row in found] == [2, 1, 0]
    # The documentation's table of the default: 77% at 0.75.
    assert found[0]["promised"] == pytest.approx(0.77, abs=0.005)


def test_rows_of_any_table_are_made_from_texts(tmp_path: Path) -> None:
    for name in ("documents", "clean"):
        rows = corpus.filled(TABLES[name], ["a", "bcd"])
        assert rows.schema == TABLES[name].arrow_schema()
        assert rows["text"].to_pylist() == ["a", "bcd"]
        assert [int(number) for number in rows["doc_id"].to_pylist()] == [0, 1]
        assert rows["num_bytes"].to_pylist() == [1, 3]
    lines = corpus.write_lines(tmp_path / "lines", ["ä\n", "b"]).read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["ä\n", "b"]


def test_open_thresholds_fail_no_value_and_leave_out_no_rule() -> None:
    from pipelines.clean.rules import RULES

    names = [name for group in filters.GROUPS.values() for name in group]
    assert set(names) <= set(RULES)
    assert len(names) == len(set(names)) == 10 + 13 + 3 + 4
    config = filters.open_config(names)
    assert config.rules == tuple(names)
    for name in names:
        for value in (0.0, 1e9):
            assert not RULES[name].fails(np.array([value]), config.thresholds[name])


def test_rates_are_compared_a_core_and_decisions_a_document() -> None:
    own = {"bytes": 4e6, "seconds": {"chain": 2.0}, "cpu_seconds": {"chain": 4.0}}
    times = {"chain": 5.0, "plain chain": 1.0}
    other = {"bytes": 1e6, "seconds": times, "cpu_seconds": times}
    row = filters.rates(own, other)["chain"]
    assert (row["mb_per_second"], row["datatrove mb_per_second"]) == (2.0, 0.2)
    assert row["ratio mb_per_second"] == pytest.approx(10)
    assert row["ratio mb_per_cpu_second"] == pytest.approx(5)
    assert row["plain ratio mb_per_second"] == pytest.approx(2)
    found = filters.agreement({"c4": [1, 2, 3]}, {"c4": [2, 3, 4]}, 10)["c4"]
    assert found == {"share": 0.8, "kept by both": 2, "by ringlake only": 1, "by datatrove only": 1}


def test_a_cut_archive_has_the_same_records(tmp_path: Path) -> None:
    made = warc.make_warc(tmp_path / "a.warc.gz", documents(40))
    records = list(warc.members(made))
    assert len(records) == 40
    assert all(record.startswith(b"WARC/1.1\r\nWARC-Type: response") for record in records)
    parts = []
    for core in range(3):
        warc.cut(records, core, 3, tmp_path / f"{core}.warc.gz")
        parts += list(warc.members(tmp_path / f"{core}.warc.gz"))
    assert sorted(parts) == sorted(records)
    assert gzip.decompress(made.read_bytes()) == b"".join(records)
    said = warc.identified(records[0])
    assert len(said) - len(records[0]) == len(b"WARC-Identified-Payload-Type: text/html\r\n")
    assert said.startswith(b"WARC/1.1\r\nWARC-Identified-Payload-Type: text/html\r\n")
    assert warc.identified(said) == said
    truth = warc.read_truth(tmp_path / warc.TRUTH)
    assert list(truth.values()) == documents(40)


def test_agreement_of_texts() -> None:
    assert warc.f1("a b c d e", "a b c d e") == 1
    assert warc.f1("", "a b c d e") == 0
    # Two 4-grams of the marked text, both among the three that were found.
    assert warc.f1("a b c d e f", "a b c d e") == pytest.approx(2 * 2 / 5)


def test_copies_of_the_corpus_differ_and_are_made_again_alike(tmp_path: Path) -> None:
    base = documents(20)
    size = scale.write_input(tmp_path / "in", base, 3)
    texts = [
        json.loads(line)["text"]
        for file in sorted((tmp_path / "in").iterdir())
        for line in file.read_text().splitlines()
    ]
    assert len(set(texts)) == 60
    assert size == sum(len(text.encode()) for text in texts)
    assert set(base) < set(texts)
    scale.write_input(tmp_path / "again", base, 3)
    for file in (tmp_path / "in").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    _, copied, again = corpus.copies(base, 3)
    assert planted.jaccard(base[0], copied[0]) < 0.3
    assert planted.jaccard(copied[0], again[0]) < 0.3


def test_processes_are_told_apart() -> None:
    # As a child of the JVM has it before it becomes another program: the JVM's command names PySpark.
    assert usage.part_of(["/usr/bin/java", "-cp", "x", "pyspark-shell"], False) == "jvm"
    assert usage.part_of(["python", "-m", "pyspark.daemon", "pyspark.worker"], False) == "workers"
    assert usage.part_of(["python", "-m", "pipelines.cli.main", "run"], True) == "driver"
    assert usage.part_of([], False) == "driver"


def test_a_process_without_an_answer_is_an_error(tmp_path: Path) -> None:
    def start(program: str) -> dict[str, object]:
        import sys

        return corpus.answer(corpus.on_cores([sys.executable, "-c", program], corpus.some_cores(1)), "a peer")

    assert start(f"print('noise'); print({MARK!r} + '{{\"a\": 1}}')") == {"a": 1}
    with pytest.raises(RuntimeError, match="a peer ended with exit code 3"):
        start("raise SystemExit(3)")
