"""Another tokenizer than that of the sequences is refused on the driver, with both values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tokenizers import Tokenizer

from conf.evaluate import EvaluateConfig
from conf.model import ModelConfig
from tests.training.tiny import MODEL, make_config, make_snapshots, make_tokenizer
from training.data.snapshot import Snapshot
from training.errors import DataError
from training.facts import TARGET, TargetVocabulary, target_of
from training.models.checks import check_pretrained, check_tokenizer
from training.start import evaluate_model, train_model


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return make_tokenizer(tmp_path / "tokenizer")


@pytest.fixture
def train(tmp_path: Path, tokenizer: Path) -> Snapshot:
    return make_snapshots(tmp_path / "sequences", tokenizer)[0]


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "tokenizer.json"
    tree = json.loads(file.read_text())
    change(tree)
    file.write_text(json.dumps(tree))


def swap_two_tokens(tree: dict[str, Any]) -> None:
    vocab = tree["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]


def test_a_tokenizer_that_did_not_make_the_sequences_is_refused(tokenizer: Path, train: Snapshot) -> None:
    check_tokenizer(tokenizer, train, "x")
    rewrite(tokenizer, swap_two_tokens)
    with pytest.raises(
        DataError,
        match=rf"has the SHA-256 \w{{64}}, but .* version 0 .* of SHA-256 {train.tokenizer_hash}; try again",
    ):
        check_tokenizer(tokenizer, train, "try again")
    (tokenizer / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer\.json does not exist; try again"):
        check_tokenizer(tokenizer, train, "try again")


def add_a_token(tree: dict[str, Any]) -> None:
    tree["added_tokens"].append({**tree["added_tokens"][0], "id": 300, "content": "<pad>"})


def swap_two_merges(tree: dict[str, Any]) -> None:
    merges = tree["model"]["merges"]
    merges[0], merges[1] = merges[1], merges[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap_two_tokens, r"300 tokens there and 300 here, and id \d+ is 'b' there, 'a' here"),
        (add_a_token, r"301 tokens there and 300 here, and id 300 is '<pad>' there, None here"),
        (swap_two_merges, r"merge 0 is '.*' there, '.*' here"),
    ],
)
def test_a_pretrained_model_with_another_tokenizer_is_refused(
    tokenizer: Path, train: Snapshot, tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    model = ModelConfig(pretrained=str(make_tokenizer(tmp_path / "model")))
    rewrite(tmp_path / "model", change)
    with pytest.raises(
        DataError, match=rf"another tokenizer than the sequences of .* version 0: {words}; set"
    ):
        check_pretrained(model, tokenizer, train)


@pytest.mark.parametrize(
    "damage", [{"added_tokens": [{"content": "x"}]}, {"model": []}, {"model": {"vocab": {"a": "no"}}}]
)
def test_a_damaged_tokenizer_of_a_pretrained_model_is_named(
    tokenizer: Path, train: Snapshot, tmp_path: Path, damage: dict[str, Any]
) -> None:
    model = ModelConfig(pretrained=str(make_tokenizer(tmp_path / "model")))
    rewrite(tmp_path / "model", lambda tree: tree.update(damage))
    with pytest.raises(DataError, match=r"model\.pretrained = "):
        check_pretrained(model, tokenizer, train)


def test_one_tokenizer_may_be_written_in_several_ways(
    tokenizer: Path, train: Snapshot, tmp_path: Path
) -> None:
    folder = make_tokenizer(tmp_path / "model")
    again = Tokenizer.from_file(str(folder / "tokenizer.json"))
    again.enable_truncation(8)
    again.save(str(folder / "tokenizer.json"), pretty=False)
    # The older way to write merges: one text each.
    rewrite(folder, lambda tree: tree["model"].update(merges=[" ".join(m) for m in tree["model"]["merges"]]))
    assert (folder / "tokenizer.json").read_bytes() != (tokenizer / "tokenizer.json").read_bytes()
    check_pretrained(ModelConfig(pretrained=str(folder)), tokenizer, train)
    check_pretrained(MODEL, tokenizer, train)
    (folder / "tokenizer.json").unlink()
    check_pretrained(ModelConfig(pretrained=str(folder)), tokenizer, train)


def test_models_and_sequences_of_one_and_of_two_vocabularies_are_told_apart(
    tokenizer: Path, train: Snapshot, tmp_path: Path
) -> None:
    two = replace(train, task={TARGET: TargetVocabulary("ab" * 32, 280, 0).noted()})
    check_pretrained(ModelConfig(), tokenizer, two, tokenizer)
    with pytest.raises(
        DataError, match=r"300 tokens for texts .* 280 for targets, and a 't5' model .* marian"
    ):
        check_pretrained(ModelConfig(architecture="t5"), tokenizer, two, tokenizer)
    folder = make_tokenizer(tmp_path / "model")
    make_tokenizer(folder / "target")
    model = ModelConfig(pretrained=str(folder))
    one = {"model_type": "marian", "vocab_size": 310, "decoder_vocab_size": 310}
    (folder / "config.json").write_text(json.dumps(one))
    check_pretrained(model, tokenizer, train)
    with pytest.raises(
        DataError, match=r"of 310 tokens for both sides, but .* have 300 .* and 280 for targets"
    ):
        check_pretrained(model, tokenizer, two, tokenizer)
    own = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 290, "target_tokenizer": "target"}
    (folder / "config.json").write_text(json.dumps(one | own))
    check_pretrained(model, tokenizer, two, tokenizer)
    with pytest.raises(
        DataError, match=r"has 310 tokens for texts and 290 for targets, but .* of 300 for both"
    ):
        check_pretrained(model, tokenizer, train)
    rewrite(folder / "target", swap_two_tokens)
    with pytest.raises(
        DataError, match=r"another tokenizer for targets .*: 300 tokens there and 300 here.* task.target_tok"
    ):
        check_pretrained(model, tokenizer, two, tokenizer)
    with pytest.raises(DataError, match=r"of SHA-256 (ab)+ for their targets; put it back"):
        check_tokenizer(tokenizer, two, "put it back", target_of(two.task))


def test_the_stages_refuse_before_ranks_start(spark: SparkSession, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path / "tokenizer")
    train, validation = make_snapshots(tmp_path / "sequences", tokenizer)
    other = make_tokenizer(tmp_path / "other")
    rewrite(other, swap_two_tokens)
    places = tmp_path / "checkpoints", tmp_path / "model"
    with pytest.raises(DataError, match=r"SHA-256 .*tokenize again"):
        train_model(spark, MODEL, make_config(), train, validation, other, *places, print)
    pretrained = ModelConfig(pretrained=str(other))
    with pytest.raises(DataError, match=r"model\.pretrained = .*another tokenizer"):
        train_model(spark, pretrained, make_config(), train, validation, tokenizer, *places, print)
    with pytest.raises(DataError, match=r"SHA-256 .*train anew"):
        evaluate_model(spark, EvaluateConfig(), make_config(), validation, other, print)
    older = replace(validation, version=3)
    with pytest.raises(DataError, match=r"have version 0, but the validation sequences of .* version 3 3"):
        train_model(spark, MODEL, make_config(), train, older, tokenizer, *places, print)
