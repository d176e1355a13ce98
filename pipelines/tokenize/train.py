"""Training the byte-level BPE.

Byte pair encoding: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
Units", ACL 2016; over bytes, and split into words, as in GPT-2 (Radford et al., 2019).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from conf.data import TokenizeConfig
from pipelines.errors import InputError
from pipelines.stage import Say
from pipelines.tokenize.existing import adopt
from pipelines.tokenize.folder import END_OF_DOCUMENT, TokenizerInfo, write_folder
from pipelines.tokenize.sample import sample

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
        return adopt(Path(config.tokenizer), config.end_token, folder, say)
    started = time.monotonic()
    texts = _Counted(sample(corpus, config.sample_bytes), say)
    tokenizer = _train(texts, config)
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
            f"tokenizer: tokenize.vocab_size = {config.vocab_size} was not reached, because no more pairs "
            f"occur {config.min_frequency} times in the sample; {info.vocab_size} entries are used"
        )
    return info


def _train(texts: Iterator[str], config: TokenizeConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=[END_OF_DOCUMENT],
        # All 256 bytes, so that every text can be encoded and comes back as it was.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


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
