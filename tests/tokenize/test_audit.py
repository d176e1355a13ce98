"""Other ids than those of `tokenizers` are found, before a run and in the middle of it, and never stay."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf import load
from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.lake import Lake
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.stages import STAGES
from pipelines.tokenize import audit as audit_module
from pipelines.tokenize import stage
from pipelines.tokenize.audit import FIRST_BYTES, STRIDE, Audit, DifferentIdsError, compare, difference_in
from pipelines.tokenize.choice import probe_texts
from pipelines.tokenize.engine import Encoder, fast_tokenizer
from pipelines.tokenize.folder import END_OF_DOCUMENT
from pipelines.tokenize.special import Guard
from pipelines.worker import Kernel
from tests.support.corpus import docstrings
from tests.support.tables import rows

QUICK = "return the value"


@pytest.fixture(scope="module")
def other(content: str) -> str:
    """The tokenizer without its last merges: it gives other ids to QUICK, and the same to a digit."""
    tree = json.loads(content)
    tree["model"]["merges"] = tree["model"]["merges"][:-40]
    return json.dumps(tree)


def test_both_libraries_give_equal_ids_to_the_probe(content: str) -> None:
    texts = probe_texts(content)
    assert any(END_OF_DOCUMENT in text for text in texts)
    assert len(texts) > 5000
    assert compare(content, pa.array(texts)) is None


def test_a_difference_is_found(content: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = fast_tokenizer(other)
    monkeypatch.setattr(audit_module, "fast_tokenizer", lambda _: wrong)
    assert compare(content, pa.array(["1", "2", QUICK, "3"])) == QUICK
    assert compare(content, pa.array([], pa.string())) is None


def _see(audit: Audit, content: str, texts: list[str]) -> None:
    column = pa.array(texts, pa.string())
    audit.see(column, *Encoder(content, "tokenizers", 2).encode(column))


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 4), max_size=5))
def test_right_ids_pass_however_a_task_is_cut(content: str, sizes: list[int]) -> None:
    audit = Audit(content)
    for size in sizes:
        _see(audit, content, [QUICK, "", "日本", "self " * 9000][:size])


def test_the_beginning_of_a_task_is_compared_whole(content: str, other: str) -> None:
    filler = ["7" * 1000] * (FIRST_BYTES // 1000 - 1)
    audit = Audit(content)
    _see(audit, other, filler)
    with pytest.raises(DifferentIdsError, match=r"a text of the corpus .*return the value"):
        _see(audit, other, ["7", QUICK])


def test_then_every_so_many_texts_one_is_compared(content: str, other: str) -> None:
    audit = Audit(content)
    _see(audit, other, ["7" * 1000] * (FIRST_BYTES // 1000 + 1))
    seen = FIRST_BYTES // 1000 + 1
    _see(audit, other, [QUICK] * (STRIDE - seen))
    with pytest.raises(DifferentIdsError):
        _see(audit, other, [QUICK])


def test_a_text_too_long_is_passed_over_and_takes_no_room(content: str, other: str) -> None:
    audit = Audit(content)
    _see(audit, other, [QUICK * 5000])
    with pytest.raises(DifferentIdsError):
        _see(audit, other, [QUICK])


def test_sparks_text_gives_the_message_and_no_other_error_does() -> None:
    text = "Traceback (most recent call last):\n File\npipelines.tokenize.audit.DifferentIdsError: it is so\n"
    assert difference_in(RuntimeError(text)) == "it is so"
    assert difference_in(RuntimeError("ValueError: it is so")) is None


def _odd(content: str, engine: str, size: int) -> Kernel:
    """The kernel of the stage, but what it is told of gigatoken's ids of the last text is wrong by one."""
    if engine != "gigatoken":
        return _encode_batches(content, engine, size)

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids, lengths = Encoder(content, engine, size).encode(batch["text"])
            Audit(content).see(batch["text"], np.append(ids[:-1], ids[-1:] ^ 1), lengths)
            yield from ()

    return convert


def _odd_then_special(content: str, engine: str, size: int) -> Kernel:
    """As `_odd`, and every id of the other library is that of a special token."""
    if engine == "gigatoken":
        return _odd(content, engine, size)

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            encoder = Encoder(content, engine, size)
            encoder._guard = Guard(dict.fromkeys(range(400), "<any>"))
            encoder.encode(batch["text"])
            yield from ()

    return convert


_encode_batches = stage._encode_batches


@pytest.fixture
def prepared(spark: SparkSession, tmp_path: Path) -> tuple[Callable[[str], Context], io.StringIO]:
    """A lake before its stage `tokenize`, for an engine, and what is said of it."""
    assert spark is not None
    lines = [json.dumps({"id": str(n), "text": text}) for n, text in enumerate(docstrings()[:40])]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    stream = io.StringIO()

    def prepare(engine: str) -> Context:
        settings = {
            "lake": tmp_path / "lake",
            "ingest.format": "jsonl",
            "ingest.inputs": [str(tmp_path / "a.jsonl")],
            "clean.profile": "none",
            "tokenize.vocab_size": 400,
            "tokenize.engine": engine,
        }
        config = load(overrides=[f"{key}={value}" for key, value in settings.items()])
        return Context(config, Lake.at(config.lake), Console(stream))

    run_stages(prepare("auto"), [ALL[name] for name in ("ingest", "clean", "dedup")])
    return prepare, stream


ALL = {one.name: one for one in STAGES}


def test_a_run_whose_ids_differ_is_encoded_by_the_other_library(
    prepared: tuple[Callable[[str], Context], io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, stream = prepared
    monkeypatch.setattr(stage, "_encode_batches", _odd_then_special)
    with pytest.raises(
        InputError, match=r"tokenize: the tokenizer cannot be used: .*token '<any>' to a text"
    ):
        run_stages(prepare("auto"), [ALL["tokenize"]])
    monkeypatch.setattr(stage, "_encode_batches", _odd)
    with pytest.raises(InputError, match="gigatoken cannot be used: it gives other ids to a text of"):
        run_stages(prepare("gigatoken"), [ALL["tokenize"]])
    context = prepare("auto")
    run_stages(context, [ALL["tokenize"]])
    assert "tokenizers encodes, not gigatoken" in stream.getvalue()
    assert context.last("tokenize").details["engine"] == "tokenizers"
    (folder,) = context.lake.tokenizers.local_path.iterdir()
    content = (folder / "tokenizer.json").read_text()
    texts = {row["doc_id"]: row["text"] for row in rows(context.config.lake, "corpus")}
    for row in rows(context.config.lake, "tokens"):
        right, _ = Encoder(content, "tokenizers", 2).encode(pa.array([texts.pop(row["doc_id"])]))
        assert row["input_ids"] == right.tolist()
    assert texts == {}
