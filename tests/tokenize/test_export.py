"""From adoption to the model folder: `AutoTokenizer` gives the ids of the tokenizer.json that was given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoConfig, AutoTokenizer

from conf.model import ModelConfig
from pipelines.tokenize.engine import Encoder
from pipelines.tokenize.existing import adopt
from ringlake.base.storage import Folder
from training.errors import DataError
from training.models.build import build_model
from training.models.export import check_export, export_model
from training.models.portable import make_portable, portable_settings

CASE = Path(__file__).parents[3] / "shared" / "cases" / "qwen2_class_other_pretokenizer"
"""Beside the repository, where somebody has put it there; `three_digits` below is of its kind."""

TEXTS = [
    "Year 2026, 1234567 pages; don't stop",
    "a<|end|>b <|endoftext|> c",
    "x\r\n\r\n\ty  Z\u00e9 \u65e5\u672c\u8a9e \U0001f642\u200d e\u0301",
    "  two  spaces\u00a0and\ttabs ",
    "",
]


def three_digits() -> Tokenizer:
    """Numbers in threes, as many classes do not have them, with merges that show it."""
    vocab = {token: number for number, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = []
    for first, second in (("1", "2"), ("12", "3"), ("4", "5"), ("45", "6"), ("123", "4"), ("\u0120", "p")):
        merges.append((first, second))
        vocab[first + second] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    pattern = Regex(r"\p{N}{1,3}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pattern, "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer


def lower_pieces() -> Tokenizer:
    """Pieces with spaces as SentencePiece writes them, and a normaliser of its own."""
    letters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789,;'\u2581"))
    pieces = [("<unk>", 0.0), ("\u2581the", -2.0), *((letter, -4.0) for letter in letters)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer


def plain_ids(file: Path) -> list[list[int]]:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


def check_ids(folder: Path, expected: list[list[int]]) -> None:
    opened = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    assert [opened(text)["input_ids"] for text in TEXTS] == expected


@pytest.mark.parametrize("made", [three_digits, lower_pieces])
@pytest.mark.parametrize(
    ("declared", "architecture"),
    [
        ("Qwen2Tokenizer", "qwen2"),
        ("LlamaTokenizerFast", "llama"),
        ("GPT2TokenizerFast", "gpt2"),
        ("BertTokenizer", "gemma2"),
        ("NoSuchTokenizer", "gpt_neox"),
        (None, "mistral"),
    ],
)
def test_the_model_folder_gives_the_ids_of_the_tokenizer_that_was_adopted(
    made: Any, declared: str | None, architecture: str, tmp_path: Path
) -> None:
    source = tmp_path / "given"
    source.mkdir()
    made().save(str(source / "tokenizer.json"))
    config = {
        "tokenizer_class": declared,
        "eos_token": "<|end|>",
        "add_bos_token": True,
        "add_prefix_space": True,
        "do_lower_case": False,
        "legacy": True,
        "auto_map": {"AutoTokenizer": ["somewhere.Tokenizer", None]},
    }
    (source / "tokenizer_config.json").write_text(json.dumps(config))
    expected = plain_ids(source / "tokenizer.json")
    info = adopt(source, None, tmp_path / "adopted", print)
    check_ids(info.folder, expected)
    content = (info.folder / "tokenizer.json").read_text()
    ids, _ = Encoder(content, "tokenizers", 2).encode(pa.array(TEXTS))
    assert ids.tolist() == [number for each in expected for number in each]
    # A model folder without its weights: the type of the model decides too what is opened.
    folder = tmp_path / "model"
    shutil.copytree(info.folder, folder)
    AutoConfig.for_model(architecture).save_pretrained(folder)
    make_portable(folder)
    check_ids(folder, expected)


def test_numbers_in_threes_tell_a_class_that_has_them_in_another_way(tmp_path: Path) -> None:
    """The tests of this file could not fail if the classes gave equal ids anyway."""
    three_digits().save(str(tmp_path / "tokenizer.json"))
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|end|>", "split_special_tokens": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(AssertionError):
        check_ids(tmp_path, plain_ids(tmp_path / "tokenizer.json"))


@pytest.mark.skipif(not CASE.is_dir(), reason="needs the folder of cases beside the repository")
@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_a_class_with_another_pre_tokenizer_gives_the_ids_of_its_file(
    architecture: str, tmp_path: Path
) -> None:
    expected = plain_ids(CASE / "tokenizer.json")
    info = adopt(CASE, None, tmp_path / "adopted", print)
    check_ids(info.folder, expected)
    _export(info.folder, architecture, info.vocab_size, tmp_path / "model")
    check_ids(tmp_path / "model", expected)


def test_a_whole_model_folder_gives_them_too(tmp_path: Path) -> None:
    source = tmp_path / "given"
    source.mkdir()
    three_digits().save(str(source / "tokenizer.json"))
    (source / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    info = adopt(source, "<|end|>", tmp_path / "adopted", print)
    _export(info.folder, "qwen2", info.vocab_size, tmp_path / "model")
    check_ids(tmp_path / "model", plain_ids(source / "tokenizer.json"))
    assert (tmp_path / "model" / "tokenizer.json").read_text() == (info.folder / "tokenizer.json").read_text()


def _export(tokenizer: Path, architecture: str, vocab_size: int, target: Path) -> None:
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    }
    config = ModelConfig(architecture=architecture, config=sizes)
    model = build_model(config, vocab_size=vocab_size, sequence_length=16, end_id=0, seed=1)
    export_model(model, Folder(str(tokenizer)), Folder(str(target)), {})


def test_a_tokenizer_that_cannot_be_read_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be exported: the tokenizer cannot be read"):
        check_export(AutoConfig.for_model("llama"), Folder(str(tmp_path)))


def test_what_could_change_ids_is_not_taken_over() -> None:
    given = {"add_bos_token": True, "normalizer": {}, "chat_template": "{{ x }}", "model_max_length": 512}
    kept = portable_settings(given, "<|end|>", {"<|end|>"})
    assert not {"add_bos_token", "normalizer"} & kept.keys()
    assert (kept["chat_template"], kept["model_max_length"], kept["padding_side"]) == ("{{ x }}", 512, "left")
