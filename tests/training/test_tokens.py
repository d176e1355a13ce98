"""Bytes of a token, checked against decoding real text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from ringlake.base.storage import Folder
from tests.training.tiny import END_OF_DOCUMENT, VOCAB_SIZE, make_tokenizer
from training.errors import DataError
from training.models.tokens import TokenizerFile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("text", ["the lazy dog", "naïve Ünïcode — 日本語 🙂", "\ttabs\n\n  spaces ", ""])
def test_lengths_add_up_to_the_bytes_of_the_text(folder: Path, text: str) -> None:
    lengths = TokenizerFile(Folder(str(folder))).byte_lengths()
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    assert lengths[ids].sum() == len(text.encode())


def test_there_is_a_length_for_every_token_and_special_ones_have_none(folder: Path) -> None:
    lengths = TokenizerFile(Folder(str(folder))).byte_lengths()
    special = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id(END_OF_DOCUMENT)
    assert lengths.shape == (VOCAB_SIZE,)
    assert lengths[special] == 0
    assert (lengths > 0).sum() == VOCAB_SIZE - 1


def test_the_end_of_document_token_is_found(folder: Path, tmp_path: Path) -> None:
    wanted = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id(END_OF_DOCUMENT)
    assert TokenizerFile(Folder(str(folder))).end_of_document_id() == wanted
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    assert TokenizerFile(Folder(str(tmp_path))).end_of_document_id() == wanted
    tree = json.loads((folder / "tokenizer.json").read_text())
    tree["added_tokens"].append({**tree["added_tokens"][0], "id": 1, "content": "<other>"})
    (tmp_path / "tokenizer.json").write_text(json.dumps(tree))
    assert TokenizerFile(Folder(str(tmp_path))).end_of_document_id() is None
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<other>"}}))
    assert TokenizerFile(Folder(str(tmp_path))).end_of_document_id() == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[1]", "JSON object"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "'WordPiece'"),
        ('{"model": {"type": "BPE", "vocab": {"a": 0}}, "decoder": null}', "ByteLevel"),
        ('{"model": {"type": "BPE", "vocab": {"a": 3}}, "decoder": {"type": "ByteLevel"}}', "gap"),
    ],
)
def test_another_kind_of_tokenizer_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match=words):
        TokenizerFile(Folder(str(tmp_path))).byte_lengths()


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tokenizer.json does not exist; tokenize"):
        TokenizerFile(Folder(str(tmp_path))).byte_lengths()
