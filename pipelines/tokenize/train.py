"""Training a tokenizer over the bytes of words: BPE or Unigram.

Byte pair encoding: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
Units", ACL 2016; over bytes, and split into words, as in GPT-2 (Radford et al., 2019). Unigram: Kudo, ACL
2018, see `unigram`, over the same words and bytes.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from conf.tokenize import TokenizeConfig
from pipelines.errors import InputError
from pipelines.stage_output import Say
from pipelines.tokenize.existing import adopt
from pipelines.tokenize.folder import END_OF_DOCUMENT, TokenizerInfo, write_folder
from pipelines.tokenize.frame import OF_TEXTS, PLAIN, Form, Keys, framed
from pipelines.tokenize.sample import sample
from pipelines.tokenize.special import byte_characters, bytes_of, check_unreachable
from pipelines.tokenize.unigram import train_unigram
from pipelines.tokenize.words import MAX_WORD_BYTES, BoundedWords

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SECONDS_BETWEEN_LINES = 5.0

_MORE_MERGES = 1024
"""Merges that are learned beyond those wanted, to take the place of those that lead to a special token."""


def train_tokenizer(
    corpus: DataFrame,
    config: TokenizeConfig,
    folder: Path,
    say: Say,
    form: Form = PLAIN,
) -> TokenizerInfo:
    """The tokenizer of a corpus, in a folder: trained on its train split, or the one of the configuration.

    The same corpus gives the same bytes of tokenizer.json, however it is partitioned.

    Args:
        corpus: Table `corpus`.
        config: The section `tokenize`.
        folder: Where tokenizer.json, tokenizer_config.json and special_tokens_map.json go.
        say: Prints progress.
        form: What the task asks of it.

    Raises:
        InputError: The train split is empty, or the given tokenizer cannot be used, or a special token
            cannot be told from a byte.
    """
    if config.tokenizer is not None:
        source, special = Path(config.tokenizer), config.special_tokens
        return adopt(source, config.end_token, folder, say, special, form)
    names = list(dict.fromkeys([END_OF_DOCUMENT, *config.special_tokens]))
    for token in names:
        if token in byte_characters():
            raise InputError(
                f"tokenize.special_tokens: {token!r} is a single character that stands for a byte in the "
                f"vocabulary, so that texts would be given it; take a longer one, for example '<|{token}|>'"
            )
    say = _named(form.keys, say)
    started = time.monotonic()
    texts = _Counted(sample(corpus, config.sample_bytes), say)
    words = BoundedWords(texts, config.distinct_bytes)
    train = _train_bpe if config.model == "bpe" else _train_unigram
    tokenizer = train(iter(words), config, names, say)
    if texts.num_texts == 0:
        raise InputError(
            f"the train split of the corpus has no document to train a {form.keys.name} on; give more input, "
            f"lower dedup.validation_fraction, or name a tokenizer in {form.keys.place}"
        )
    if words.num_cut:
        say(
            f"tokenizer: {words.num_cut:,} words of more than {MAX_WORD_BYTES:,} bytes were cut after every "
            f"{MAX_WORD_BYTES:,} bytes for training (not for encoding)"
        )
    if words.ended_early:
        say(
            f"tokenizer: the sample ends after {texts.num_bytes / 1e6:,.1f} MB, because its distinct words "
            f"have tokenize.distinct_bytes = {config.distinct_bytes:,} bytes; each more takes about 130 "
            f"bytes of memory"
        )
    content = tokenizer.to_str()
    check_unreachable(
        content, END_OF_DOCUMENT, "the trained tokenizer", "take other names in tokenize.special_tokens"
    )
    if form.frame is not None:
        content = framed(content, form.frame, END_OF_DOCUMENT)
    info = write_folder(folder, content, END_OF_DOCUMENT, form.settings(), form.padding_side)
    say(
        f"tokenizer: {info.vocab_size:,} entries from {texts.num_texts:,} documents, "
        f"{texts.num_bytes / 1e6:,.1f} MB, in {time.monotonic() - started:.1f} s"
    )
    if info.vocab_size < config.vocab_size:
        say(
            f"tokenizer: {form.keys.size} = {config.vocab_size} was not reached, because no more "
            f"{'pairs' if config.model == 'bpe' else 'pieces'} occur often enough in the sample; "
            f"{info.vocab_size} entries are used"
        )
    return info


def _named(keys: Keys, say: Say) -> Say:
    """The same with lines that say of which tokenizer they are."""
    return say if keys is OF_TEXTS else lambda line: say(f"{keys.name}{line.removeprefix(OF_TEXTS.name)}")


def _over_bytes(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _train_bpe(texts: Iterator[str], config: TokenizeConfig, special: list[str], say: Say) -> Tokenizer:
    tokenizer = _over_bytes(models.BPE())
    reached = {token for token in special if _may_be_learned(token)}
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size + (_MORE_MERGES if reached else 0),
        min_frequency=config.min_frequency,
        special_tokens=special,
        # All 256 bytes, so that every text can be encoded and comes back as it was.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with _heartbeat("learning merges", say):
        tokenizer.train_from_iterator(texts, trainer)
    if reached:
        return Tokenizer.from_str(_without(tokenizer.to_str(), reached, special, config.vocab_size))
    return tokenizer


def _may_be_learned(token: str) -> bool:
    """Whether merges, which stay within words, may lead to a token."""
    spelled = bytes_of(token)
    if spelled is None:
        return False
    try:
        text = spelled.decode()
    except UnicodeDecodeError:
        # With the other bytes of its characters it may be a part of any word.
        return True
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    # An apostrophe and a letter may be the beginning of 're, 've or 'll.
    return any(split(text + after)[0][1][1] >= len(text) for after in ("", "e", "l"))


def _without(content: str, reached: Collection[str], special: list[str], vocab_size: int) -> str:
    """A trained BPE of `vocab_size` entries without the merges that lead to special tokens and what needs
    them.
    """
    tree: dict[str, Any] = json.loads(content)
    model = tree["model"]
    first = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocab = {token: number for number, token in enumerate(first)}
    merges = []
    for left, right in model["merges"]:
        if len(vocab) >= vocab_size:
            break
        usable = {left, right} <= vocab.keys() and not {left, right, left + right} & set(reached)
        if usable:
            vocab.setdefault(left + right, len(vocab))
            merges.append([left, right])
    model["vocab"], model["merges"] = vocab, merges
    return json.dumps(tree, ensure_ascii=False)


def _train_unigram(texts: Iterator[str], config: TokenizeConfig, special: list[str], say: Say) -> Tokenizer:
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(text))
    to_char = byte_characters()
    words = {bytes_of(word) or b"": count for word, count in counts.items()}
    # A text that spells one would be segmented into a piece that is spelled like it.
    without = [spelled for token in special if (spelled := bytes_of(token)) is not None]
    pieces = train_unigram(
        words, config.vocab_size - len(special), without, _seldom(lambda line: say(f"tokenizer: {line}"))
    )
    vocab = [("".join(to_char[value] for value in piece), score) for piece, score in pieces]
    tokenizer = _over_bytes(models.Unigram(vocab, None, False))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def _seldom(say: Say) -> Say:
    """The same, but of lines that follow each other closely the first alone is printed."""
    last = [time.monotonic()]

    def print_some(line: str) -> None:
        if time.monotonic() - last[0] >= _SECONDS_BETWEEN_LINES:
            last[0] = time.monotonic()
            say(line)

    return print_some


@contextmanager
def _heartbeat(what: str, say: Say) -> Iterator[None]:
    """Says every few seconds that a call of a library, which says nothing itself, is still at work."""
    done = threading.Event()
    started = time.monotonic()

    def beat() -> None:
        while not done.wait(_SECONDS_BETWEEN_LINES):
            say(f"tokenizer: {what} for {time.monotonic() - started:,.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


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
