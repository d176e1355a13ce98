"""Training a tokenizer over the bytes of words: BPE or Unigram.

Byte pair encoding: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
Units", ACL 2016; over bytes, and split into words, as in GPT-2 (Radford et al., 2019). Unigram: Kudo, ACL
2018, see `unigram`, over the same words and bytes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from conf.data import TokenizeConfig
from pipelines.errors import InputError
from pipelines.stage import Say
from pipelines.tokenize.existing import adopt
from pipelines.tokenize.folder import END_OF_DOCUMENT, TokenizerInfo, write_folder
from pipelines.tokenize.sample import sample
from pipelines.tokenize.unigram import train_unigram

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SECONDS_BETWEEN_LINES = 5.0


def train_tokenizer(corpus: DataFrame, config: TokenizeConfig, folder: Path, say: Say) -> TokenizerInfo:
    """The tokenizer of a corpus, in a folder: trained on its train split, or the one of the configuration.

    The same corpus gives the same bytes of tokenizer.json, however it is partitioned.

    Args:
        corpus: Table `corpus`.
        config: The section `tokenize`.
        folder: Where tokenizer.json, tokenizer_config.json and special_tokens_map.json go.
        say: Prints progress.

    Raises:
        InputError: The train split is empty, or the given tokenizer cannot be used.
    """
    if config.tokenizer is not None:
        return adopt(Path(config.tokenizer), config.end_token, folder, say, config.special_tokens)
    started = time.monotonic()
    texts = _Counted(sample(corpus, config.sample_bytes), say)
    tokenizer = (_train_bpe if config.model == "bpe" else _train_unigram)(texts, config)
    if texts.num_texts == 0:
        raise InputError(
            "the train split of the corpus has no document to train a tokenizer on; give more input, "
            "lower dedup.validation_fraction, or name a tokenizer in tokenize.tokenizer"
        )
    info = write_folder(folder, tokenizer.to_str(), END_OF_DOCUMENT)
    say(
        f"tokenizer: {info.vocab_size:,} entries from {texts.num_texts:,} documents, "
        f"{texts.num_bytes / 1e6:,.1f} MB, in {time.monotonic() - started:.1f} s"
    )
    if info.vocab_size < config.vocab_size:
        say(
            f"tokenizer: tokenize.vocab_size = {config.vocab_size} was not reached, because no more "
            f"{'pairs' if config.model == 'bpe' else 'pieces'} occur often enough in the sample; "
            f"{info.vocab_size} entries are used"
        )
    return info


def _over_bytes(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _train_bpe(texts: Iterator[str], config: TokenizeConfig) -> Tokenizer:
    tokenizer = _over_bytes(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=[END_OF_DOCUMENT, *config.special_tokens],
        # All 256 bytes, so that every text can be encoded and comes back as it was.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _train_unigram(texts: Iterator[str], config: TokenizeConfig) -> Tokenizer:
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(text))
    to_char = byte_characters()
    to_byte = {char: value for value, char in enumerate(to_char)}
    words = {bytes(to_byte[char] for char in word): count for word, count in counts.items()}
    special = [END_OF_DOCUMENT, *config.special_tokens]
    pieces = train_unigram(words, config.vocab_size - len(special))
    vocab = [("".join(to_char[value] for value in piece), score) for piece, score in pieces]
    tokenizer = _over_bytes(models.Unigram(vocab, None, False))
    # Not among the pieces, where a text that spells one would be segmented into it.
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def byte_characters() -> list[str]:
    """The character that stands for each byte in the byte-level alphabet (Radford et al., 2019, 2.2)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [value for value in range(256) if value not in shown]
    return [chr(value) if value in shown else chr(256 + hidden.index(value)) for value in range(256)]


class _Counted:
    """Passes texts on, counts them and says how far they are."""

    def __init__(self, texts: Iterator[str], say: Say) -> None:
        self.num_texts = 0
        self.num_bytes = 0
        self._texts = texts
        self._say = say
        self._last = time.monotonic()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = next(self._texts)
        self.num_texts += 1
        self.num_bytes += len(text.encode())
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._say(f"tokenizer: read {self.num_texts:,} documents, {self.num_bytes / 1e6:,.1f} MB")
        return text
