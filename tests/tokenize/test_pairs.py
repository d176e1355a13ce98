"""Which pairs a translation learns from, and the ids of each side."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipelines.text.script import script_of
from pipelines.tokenize.examples import Refusal, Row
from pipelines.tokenize.folder import END_OF_DOCUMENT
from pipelines.tokenize.frame import framed
from pipelines.tokenize.pairs import Pairs
from schemas.token_ids import BEGINS, ID_BITS, LEARNED


@pytest.mark.parametrize(
    ("text", "target", "script"),
    [
        ("Site '%(object)s' updated.", "站点 '%(object)s' 已更新。", "CJK"),
        ("Hold down Control on a Mac", "在 Mac 上按住 control 键", "CJK"),
        ("Download XLSX", "下载XLSX", "CJK"),
        ("Jupyter Notebook", "Jupyter Notebook", ""),
        ("%d files", "%d fichiers 件", "LATIN"),
        ("Site", "", ""),
        ("Open", "Ouvrir", "LATIN"),
        ("打开", "打开", ""),
    ],
)
def test_what_a_target_has_from_its_text_does_not_count(text: str, target: str, script: str) -> None:
    assert script_of(target, text) == script


def test_of_a_text_alone_all_letters_count() -> None:
    assert script_of("站点 object 已更新") == "LATIN"
    assert script_of("Привет, мир 12") == "CYRILLIC"
    assert script_of("12 %") == ""


TARGET_END = "</s>"


@pytest.fixture(scope="module")
def targets() -> str:
    """A tokenizer of other words, whose last token ends a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["\u4e00\u4e8c\u4e09 \u56db\u4e94" * 9], trainer)
    tokenizer.add_special_tokens([TARGET_END])
    return framed(tokenizer.to_str(), "$A END", TARGET_END)


def ids(content: str, text: str) -> list[int]:
    """The ids of a text without its frame, by the library itself, which is told that it is text alone."""
    tokenizer = Tokenizer.from_str(content)
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def test_each_side_has_the_ids_of_its_own_tokenizer(content: str, targets: str) -> None:
    texts = framed(content, "$A END", END_OF_DOCUMENT)
    ends = [
        Tokenizer.from_str(texts).token_to_id(END_OF_DOCUMENT),
        Tokenizer.from_str(targets).token_to_id(TARGET_END),
    ]
    rows = [
        Row("return the value", "\u4e00\u4e8c", None),
        # Each side spells both tokens, and gets neither.
        Row(f"a {END_OF_DOCUMENT} {TARGET_END}", f"\u4e09 {TARGET_END}{END_OF_DOCUMENT}", None),
        Row("value", None, None),
    ]
    *made, refused = Pairs(texts, 200, None, targets).make(rows)
    assert isinstance(refused, Refusal)
    assert refused.reason == "no_target"
    for row, words in zip(rows, made, strict=False):
        assert isinstance(words, np.ndarray)
        learned = (words & LEARNED) != 0
        assert bool(words[0] & BEGINS)
        assert (words[~learned] & ID_BITS).tolist() == [*ids(texts, row.text), ends[0]]
        assert (words[learned] & ID_BITS).tolist() == [*ids(targets, str(row.target)), ends[1]]
        assert ends[0] not in ids(texts, row.text)
        assert ends[1] not in ids(targets, str(row.target))
    (long,) = Pairs(texts, 20, None, targets).make([Row("value " * 10, "\u4e00\u4e8c" * 20, None)])
    assert isinstance(long, Refusal)
    assert long.reason == "too_long"
