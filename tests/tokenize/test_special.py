"""No text yields a special token, whatever it spells; a tokenizer that cannot promise it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

from conf.tokenize import TokenizeConfig
from pipelines.errors import InputError
from pipelines.tokenize.engine import Encoder
from pipelines.tokenize.existing import adopt
from pipelines.tokenize.folder import END_OF_DOCUMENT, TokenizerInfo, write_folder
from pipelines.tokenize.special import Guard, SpecialTokenError, specials_of
from pipelines.tokenize.train import _train_bpe, _train_unigram

SPECIAL = ["###", "USER", "\u0120the", "\u00c3\u00a9", "\u00e6\u0139", "'r", "\u00a5a"]
"""Words of every kind: punctuation, letters, ' the' and 'é' as the vocabulary spells them, parts of
characters alone and before a letter, the beginning of 're."""

HOSTILE = [
    "we're 're",
    "\u65e5a \u65e5a",
    "### USER",
    "###USER the USER é é",
    "####### USERS",
    " the the",
    "日日 é日",
    END_OF_DOCUMENT,
]
LEARNED = [
    "### USER the \u00e9\u00e9 \u65e5\u65e5 #### USERS we're you're \u65e5a " * 5
    + "return value of self " * 9
] * 3


@pytest.mark.parametrize("engine", ["tokenizers", "gigatoken"])
@pytest.mark.parametrize("model", ["bpe", "unigram"])
def test_a_trained_tokenizer_never_learns_a_special_token(model: str, engine: str, tmp_path: Path) -> None:
    if (model, engine) == ("unigram", "gigatoken"):
        pytest.skip("gigatoken does not know Unigram")
    config = TokenizeConfig(model=model, vocab_size=300, special_tokens=tuple(SPECIAL))
    train = _train_bpe if model == "bpe" else _train_unigram
    content = train(iter(LEARNED), config, [END_OF_DOCUMENT, *SPECIAL], print).to_str()
    info = write_folder(tmp_path / "t", content, END_OF_DOCUMENT)
    opened = AutoTokenizer.from_pretrained(info.folder, local_files_only=True)
    specials = specials_of(Tokenizer.from_str(content))
    assert set(specials.values()) == {END_OF_DOCUMENT, *SPECIAL}
    assert 256 + len(specials) < info.vocab_size <= 300
    ids, lengths = Encoder(content, engine, 2).encode(pa.array(HOSTILE))
    assert not set(ids.tolist()) & specials.keys()
    for text, end, size in zip(HOSTILE, np.cumsum(lengths), lengths, strict=True):
        own = ids[end - size : end].tolist()
        assert opened(text)["input_ids"] == own
        assert opened.decode(own) == text


def test_the_first_special_token_is_found() -> None:
    guard = Guard({0: "a", 7: "b", 8: "c", 65535: "d"})
    for dtype in (np.uint16, np.uint32):
        assert guard.first(np.array([1, 6, 9, 65534], dtype)) is None
        assert guard.first(np.array([], dtype)) is None
        assert guard.first(np.array([3, 8, 65535, 0], dtype)) == (1, "c")
    assert Guard({}).first(np.array([0, 1], np.uint16)) is None


def _byte_vocab() -> dict[str, int]:
    return {token: number for number, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}


def _byte_level(**more: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**({"vocab": _byte_vocab(), "merges": []} | more)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _words(model: Any, split: Any, normalizer: Any = None) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def _adopt(
    tmp_path: Path, tokenizer: Tokenizer, end: str, config: dict[str, Any] | None = None
) -> TokenizerInfo:
    source = tmp_path / "given"
    source.mkdir()
    tokenizer.save(str(source / "tokenizer.json"))
    (source / "tokenizer_config.json").write_text(json.dumps(config or {}))
    return adopt(source, end, tmp_path / "copy", print)


@pytest.mark.parametrize(
    "flags", [{}, {"lstrip": True, "rstrip": True}, {"single_word": True}, {"normalized": True}]
)
@pytest.mark.parametrize("engine", ["tokenizers", "gigatoken"])
def test_an_end_token_that_is_a_plain_added_token_is_marked(
    tmp_path: Path, flags: dict[str, bool], engine: str
) -> None:
    tokenizer = _byte_level()
    tokenizer.add_tokens([AddedToken("</s>", special=False, **flags), AddedToken("kept", special=False)])
    info = _adopt(tmp_path, tokenizer, "</s>")
    content = (info.folder / "tokenizer.json").read_text()
    text = "a</s> b </s> kept"
    ids = Encoder(content, engine, 2).encode(pa.array([text]))[0].tolist()
    assert info.eod_id == 256 not in ids
    assert ids[-1] == 257
    assert AutoTokenizer.from_pretrained(info.folder, local_files_only=True)(text)["input_ids"] == ids


WORDS = {"[UNK]": 0, "</s>": 1, "end": 2, "the": 3, "E": 4, "##end": 5}
PIECES = [("<unk>", 0.0), ("</s>", 0.0), ("<", -3.0), ("/", -3.0), ("s", -3.0), (">", -3.0), ("a", -3.0)]
MERGED = _byte_vocab() | {"en": 256, "end": 257}
SPACES = pre_tokenizers.WhitespaceSplit()
REACHED = {
    "byte": (_byte_level(), "#"),
    "a space as the vocabulary spells it": (_byte_level(), "\u0120"),
    "merges": (_byte_level(vocab=MERGED, merges=[("e", "n"), ("en", "d")]), "end"),
    "whole words": (_byte_level(vocab=_byte_vocab() | {"end": 256}, ignore_merges=True), "end"),
    "byte fallback": (
        Tokenizer(models.BPE({"<0x0A>": 0, "a": 1, "u": 2}, [], byte_fallback=True, unk_token="u")),
        "<0x0A>",
    ),
    "pieces": (Tokenizer(models.Unigram(PIECES, 0, False)), "</s>"),
    "WordLevel": (_words(models.WordLevel(WORDS, "[UNK]"), SPACES), "</s>"),
    "WordPiece": (_words(models.WordPiece(WORDS, unk_token="[UNK]"), SPACES), "end"),
    "the rest of a word": (_words(models.WordPiece(WORDS | {"a": 6}, unk_token="[UNK]"), SPACES), "##end"),
    "the unknown token": (_words(models.WordLevel(WORDS, "[UNK]"), SPACES), "[UNK]"),
    "lower case": (_words(models.WordLevel(WORDS, "[UNK]"), SPACES, normalizers.Lowercase()), "end"),
    "a replacement": (
        _words(
            models.WordLevel(WORDS, "[UNK]"),
            SPACES,
            normalizers.Sequence([normalizers.Replace("</s>", ""), normalizers.Replace("END", "</s>")]),
        ),
        "</s>",
    ),
    "full width": (_words(models.WordLevel(WORDS, "[UNK]"), SPACES, normalizers.NFKC()), "</s>"),
}


@pytest.mark.parametrize("how", REACHED)
def test_a_tokenizer_that_spells_its_end_token_is_refused(tmp_path: Path, how: str) -> None:
    tokenizer, end = REACHED[how]
    with pytest.raises(InputError, match=r"special token|stands for unknown text"):
        _adopt(tmp_path, tokenizer, end)
    assert not (tmp_path / "copy").exists()


def test_a_word_that_the_pre_tokenizer_never_leaves_whole_is_no_reason_to_refuse(tmp_path: Path) -> None:
    tokenizer = _words(models.WordLevel(WORDS, "[UNK]"), pre_tokenizers.Whitespace())
    info = _adopt(tmp_path, tokenizer, "</s>", {"unk_token": "[UNK]"})
    ids, _ = Encoder((info.folder / "tokenizer.json").read_text(), "tokenizers", 2).encode(
        pa.array(["the </s> end</s>", "[UNK]"])
    )
    assert 1 not in ids.tolist()


def test_what_the_trials_miss_ends_the_encoding(tmp_path: Path) -> None:
    """A pattern that only some texts have makes a normaliser write the token."""
    way = normalizers.Sequence(
        [normalizers.Replace("</s>", "-"), normalizers.Replace(Regex("x{3}y+"), "</s>")]
    )
    info = _adopt(tmp_path, _words(models.WordLevel(WORDS, "[UNK]"), SPACES, way), "</s>")
    encoder = Encoder((info.folder / "tokenizer.json").read_text(), "tokenizers", 2)
    assert encoder.encode(pa.array(["the", "xxx </s>"]))[0].tolist() == [3, 0, 0]
    with pytest.raises(SpecialTokenError, match=r"'</s>' to a text of the corpus \('the xxxyy'\)"):
        encoder.encode(pa.array(["the", "the xxxyy", "the"]))


def test_what_frames_a_text_is_left_out(tmp_path: Path) -> None:
    tokenizer = _byte_level()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    config = {"bos_token": "<s>", "add_bos_token": True, "pad_token": "<none>", "added_tokens_decoder": {}}
    info = _adopt(tmp_path, tokenizer, "</s>", config)
    opened = AutoTokenizer.from_pretrained(info.folder, local_files_only=True)
    assert opened.decode(opened("a<s>b")["input_ids"]) == "a<s>b"
    assert len(opened("a<s>b")["input_ids"]) == 5
    assert len(opened) == info.vocab_size == 258


def test_tokens_that_a_configuration_lists_are_special_too(tmp_path: Path) -> None:
    tokenizer = _byte_level()
    tokenizer.add_special_tokens(["</s>"])
    tokenizer.add_tokens(["<user>", "<tool>", "<image>", "word"])
    config = {
        "additional_special_tokens": ["<user>", {"content": "<tool>"}, "<none>"],
        "extra_special_tokens": {"image_token": "<image>"},
    }
    info = _adopt(tmp_path, tokenizer, "</s>", config)
    content = (info.folder / "tokenizer.json").read_text()
    assert set(specials_of(Tokenizer.from_str(content)).values()) == {"</s>", "<user>", "<tool>", "<image>"}
    text = "<user>a <tool><image> word"
    ids = Encoder(content, "tokenizers", 2).encode(pa.array([text]))[0].tolist()
    assert [number for number in ids if number > 255] == [260]
    assert AutoTokenizer.from_pretrained(info.folder, local_files_only=True)(text)["input_ids"] == ids


def test_dropout_is_left_out(tmp_path: Path) -> None:
    vocab = _byte_vocab() | {"en": 256, "end": 257}
    tokenizer = _byte_level(vocab=vocab, merges=[("e", "n"), ("en", "d")], dropout=0.5)
    tokenizer.add_special_tokens(["</s>"])
    info = _adopt(tmp_path, tokenizer, "</s>")
    content = (info.folder / "tokenizer.json").read_text()
    encoder = Encoder(content, "tokenizers", 2)
    assert encoder.encode(pa.array(["end"] * 50))[0].tolist() == [257] * 50
