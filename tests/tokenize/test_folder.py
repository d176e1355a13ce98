"""Tokenizers that someone brings along, and folders on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from pipelines.errors import InputError
from pipelines.tokenize import folder as folder_module
from pipelines.tokenize.existing import adopt
from pipelines.tokenize.folder import write_folder


def byte_level(*extra: str) -> Tokenizer:
    vocab = {token: number for number, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(extra))
    return tokenizer


def place(path: Path, tokenizer: Tokenizer, config: dict[str, object] | None = None) -> Path:
    path.mkdir()
    tokenizer.save(str(path / "tokenizer.json"))
    if config is not None:
        (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


def test_a_folder_is_used_with_its_own_end_token(tmp_path: Path) -> None:
    source = place(tmp_path / "given", byte_level("<s>", "</s>"), {"eos_token": {"content": "</s>"}, "x": 1})
    said: list[str] = []
    info = adopt(source, None, tmp_path / "copy", said.append)
    assert (info.eod_id, info.vocab_size) == (257, 258)
    assert said == []
    assert (info.folder / "tokenizer.json").read_text() == (source / "tokenizer.json").read_text()
    written = json.loads((info.folder / "tokenizer_config.json").read_text())
    assert (written["eos_token"], written["split_special_tokens"]) == ("</s>", True)
    assert "x" not in written


def test_a_file_needs_the_name_of_its_end_token(tmp_path: Path) -> None:
    file = place(tmp_path / "given", byte_level("</s>")) / "tokenizer.json"
    with pytest.raises(InputError, match=r"set tokenize\.end_token"):
        adopt(file, None, tmp_path / "copy", print)
    with pytest.raises(InputError, match=r"'<eos>'.*tokenize\.end_token"):
        adopt(file, "<eos>", tmp_path / "copy", print)
    assert adopt(file, "</s>", tmp_path / "copy", print).eod_id == 256


def test_truncation_is_taken_out_and_loss_is_said(tmp_path: Path) -> None:
    tokenizer = byte_level("</s>")
    tokenizer.enable_truncation(3)
    tokenizer.normalizer = normalizers.Lowercase()
    said: list[str] = []
    info = adopt(place(tmp_path / "given", tokenizer), "</s>", tmp_path / "copy", said.append)
    assert json.loads((info.folder / "tokenizer.json").read_text())["truncation"] is None
    assert [("left out" in line, "as it was" in line) for line in said] == [(True, False), (False, True)]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": 3}', "\x80"])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        adopt(file, "</s>", tmp_path / "copy", print)
    assert not (tmp_path / "copy").exists()


def test_missing_and_huge_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no file"):
        adopt(tmp_path / "nowhere", None, tmp_path / "copy", print)
    source = place(tmp_path / "given", byte_level("</s>"))
    monkeypatch.setattr("pipelines.tokenize.existing.MAX_TOKENIZER_BYTES", 100)
    with pytest.raises(InputError, match="more than the 100"):
        adopt(source, "</s>", tmp_path / "copy", print)


@pytest.mark.parametrize("config", ["{", "[]", '"x"'])
def test_a_broken_configuration_is_refused(tmp_path: Path, config: str) -> None:
    source = place(tmp_path / "given", byte_level("</s>"))
    (source / "tokenizer_config.json").write_text(config)
    with pytest.raises(InputError, match="tokenizer_config"):
        adopt(source, None, tmp_path / "copy", print)


def test_a_write_that_fails_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = byte_level("</s>").to_str()
    write_folder(tmp_path / "t", old, "</s>")

    def full_disk(path: Path, text: str) -> None:
        raise OSError(f"no space left for {path.name}: {len(text)} characters")

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "_write", full_disk)
        with pytest.raises(OSError, match="no space"):
            write_folder(tmp_path / "t", byte_level("</s>", "<x>").to_str(), "</s>")
    assert (tmp_path / "t" / "tokenizer.json").read_text() == old
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    new = write_folder(tmp_path / "t", byte_level("</s>", "<x>").to_str(), "</s>")
    assert new.vocab_size == 258
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
