"""Training on Spark: the same bytes on any partitioning, from the train split alone; then the stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from transformers import AutoTokenizer

from conf.tokenize import TokenizeConfig
from pipelines.errors import InputError
from pipelines.tokenize.folder import END_OF_DOCUMENT, TokenizerInfo
from pipelines.tokenize.sample import sample
from pipelines.tokenize.stage import tokenize
from pipelines.tokenize.train import train_tokenizer
from schemas.tokens import TOKENS
from tests.support.corpus import docstrings
from tests.support.token_ids import numbers

SCHEMA = "doc_id string, split string, text string, num_bytes long"
CONFIG = TokenizeConfig(vocab_size=600)
TEXTS = [*docstrings()[:150], "", "Füße №5 日本語 🙂", f"hostile {END_OF_DOCUMENT} text{END_OF_DOCUMENT}"]


def corpus(spark: SparkSession, partitions: int, texts: list[str] | None = None) -> DataFrame:
    """Every seventh document is in validation, and is made of words that train lacks."""
    rows = []
    for number, text in enumerate(TEXTS if texts is None else texts):
        held_out = number % 7 == 3
        shown = text.replace("e", "zqx") if held_out else text
        rows.append((f"{number:032x}", "validation" if held_out else "train", shown, len(shown.encode())))
    return spark.createDataFrame(rows, SCHEMA).repartition(partitions)


@pytest.fixture(scope="module")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TokenizerInfo:
    folder = tmp_path_factory.mktemp("tokenizer") / "t"
    return train_tokenizer(corpus(spark, 1), CONFIG, folder, print)


def test_the_same_bytes_on_any_partitioning(
    spark: SparkSession, trained: TokenizerInfo, tmp_path: Path
) -> None:
    again = train_tokenizer(corpus(spark, 5), CONFIG, tmp_path / "again", print)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        assert (again.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    assert again.sha256 == trained.sha256
    assert (trained.vocab_size, trained.eod_id) == (600, 0)


def test_only_the_train_split_is_learned_from(trained: TokenizerInfo) -> None:
    vocabulary = json.loads((trained.folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert "zqx" not in "".join(vocabulary)
    assert "the" in vocabulary or "Ġthe" in vocabulary


def test_a_sample_is_a_prefix_of_the_hash_order(spark: SparkSession) -> None:
    frame = corpus(spark, 3)
    whole = list(sample(frame, 10**9))
    assert sorted(whole) == sorted(row.text for row in frame.where("split = 'train'").collect())
    part = list(sample(corpus(spark, 2), 5000))
    assert part == whole[: len(part)]
    sizes = [len(text.encode()) for text in part]
    assert sum(sizes[:-1]) < 5000 <= sum(sizes)


TEXT = st.one_of(st.text(), st.sampled_from(["\u00a0x  \n", END_OF_DOCUMENT, " don't . , !", "\x00\x7f\r\n"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(TEXT, max_size=3).map("".join))
def test_transformers_opens_it_and_gives_every_text_back(trained: TokenizerInfo, text: str) -> None:
    tokenizer = _opened(trained.folder)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert trained.eod_id not in ids
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == trained.eod_id


_OPEN: dict[Path, Any] = {}


def _opened(folder: Path) -> Any:
    if folder not in _OPEN:
        _OPEN[folder] = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return _OPEN[folder]


def test_the_stage_encodes_every_document_as_transformers_does(
    spark: SparkSession, trained: TokenizerInfo
) -> None:
    frame = corpus(spark, 3)
    out = tokenize(frame, trained.folder / "tokenizer.json", CONFIG, print).tables["tokens"]
    assert out.columns == list(TOKENS.column_names)
    rows = {row.doc_id: row for row in out.collect()}
    documents = frame.collect()
    assert len(rows) == len(documents) == len(TEXTS)
    for document in documents:
        row = rows[document.doc_id]
        assert numbers(row.input_ids) == _opened(trained.folder).encode(document.text)
        assert row.num_tokens == len(numbers(row.input_ids))
        assert (row.split, row.num_bytes) == (document.split, document.num_bytes)
        assert trained.eod_id not in numbers(row.input_ids)


def test_a_small_corpus_gives_a_small_vocabulary_and_says_so(spark: SparkSession, tmp_path: Path) -> None:
    said: list[str] = []
    info = train_tokenizer(corpus(spark, 1, ["ab ab"]), CONFIG, tmp_path / "t", said.append)
    assert info.vocab_size < 260
    assert any("vocab_size = 600 was not reached" in line for line in said)


@pytest.mark.parametrize("model", ["bpe", "unigram"])
def test_bounds_of_training_are_said_and_every_text_is_encoded_whole(
    spark: SparkSession, tmp_path: Path, model: str
) -> None:
    texts = ["ACGT" * 1000, "the value of the value", "TTAGGG" * 700]
    said: list[str] = []
    config = TokenizeConfig(model=model, vocab_size=300, distinct_bytes=50)
    info = train_tokenizer(corpus(spark, 1, texts), config, tmp_path / "t", said.append)
    assert any("1 words of more than 1,024 bytes were cut" in line for line in said)
    assert any("tokenize.distinct_bytes = 50 bytes" in line for line in said)
    assert _opened(info.folder).decode(_opened(info.folder).encode(texts[0])) == texts[0]
    said.clear()
    train_tokenizer(corpus(spark, 1, texts[1:2]), config, tmp_path / "u", said.append)
    assert not any("were cut" in line or "distinct_bytes" in line for line in said)


def test_learning_merges_says_that_it_is_at_work(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.tokenize.train._SECONDS_BETWEEN_LINES", 0.001)
    said: list[str] = []
    words = " ".join(f"word{number}" for number in range(20_000))
    train_tokenizer(corpus(spark, 1, [words]), TokenizeConfig(vocab_size=2000), tmp_path / "t", said.append)
    assert any(line.startswith("tokenizer: learning merges for ") for line in said)


def test_a_special_token_that_stands_for_a_byte_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    config = TokenizeConfig(vocab_size=300, special_tokens=("<|a|>", "\u0120"))
    with pytest.raises(InputError, match=r"tokenize\.special_tokens: '\u0120' is a single character"):
        train_tokenizer(corpus(spark, 1), config, tmp_path / "t", print)


def test_an_empty_train_split_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train split"):
        train_tokenizer(corpus(spark, 1, ["x"]).where("false"), CONFIG, tmp_path / "t", print)
    assert not (tmp_path / "t").exists()


UNIGRAM = TokenizeConfig(model="unigram", vocab_size=500, special_tokens=("<|user|>", "<|system|>"))


def test_unigram_is_the_same_on_any_partitioning_and_gives_every_text_back(
    spark: SparkSession, tmp_path: Path
) -> None:
    one, other = (
        train_tokenizer(corpus(spark, partitions), UNIGRAM, tmp_path / str(partitions), print)
        for partitions in (1, 4)
    )
    assert one.sha256 == other.sha256
    assert (one.vocab_size, one.eod_id) == (500, 497)
    tokenizer = _opened(one.folder)
    for text in (*TEXTS[-3:], "\x00\x7f\r\n\U0010ffff", "<|user|> <|system|>"):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert not {497, 498, 499} & set(ids)


def test_the_fast_library_is_taken_where_it_knows_the_tokenizer(
    spark: SparkSession, trained: TokenizerInfo, tmp_path: Path
) -> None:
    frame, said = corpus(spark, 2), list[str]()
    assert tokenize(frame, trained.folder / "tokenizer.json", CONFIG, said.append).details == {
        "engine": "gigatoken"
    }
    assert said == []
    unigram = train_tokenizer(frame, UNIGRAM, tmp_path / "u", print).folder / "tokenizer.json"
    assert tokenize(frame, unigram, UNIGRAM, said.append).details == {"engine": "tokenizers"}
    assert "not gigatoken" in said[0]
    with pytest.raises(InputError, match="gigatoken cannot be used: it cannot load"):
        tokenize(frame, unigram, UNIGRAM.model_copy(update={"engine": "gigatoken"}), print)
