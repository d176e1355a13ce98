"""A model, a tokenizer and sequences so small that training them takes seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from conf.model import ModelConfig
from conf.train import TrainConfig
from tests.training.tables import random_tokens, write_sequences
from training.data.layout import read_layout
from training.data.snapshot import Snapshot
from training.job import TrainJob
from training.sources import Sources, open_sources

VOCAB_SIZE = 300
LENGTH = 16
NUM_TRAIN, NUM_VALIDATION = 75, 21
END_OF_DOCUMENT = "<|endoftext|>"

TEXTS = ["the quick brown fox", "the lazy dog returns the value", "return None if the value is missing"] * 5

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
MODEL = ModelConfig(config=SIZES)
MARIAN = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
}
"""The same of an encoder-decoder."""


def make_config(**changes: Any) -> TrainConfig:
    """20 steps over two epochs of 75 sequences: each epoch ends in a batch of three."""
    return TrainConfig(
        **{
            "steps": 20,
            **({} if "global_batch_tokens" in changes else {"global_batch_size": 8}),
            "canonical_shards": 4,
            "micro_batch_size": 2,
            "warmup_steps": 2,
            "learning_rate": 1e-2,
            "validate_every": 10,
            "validate_sequences": 15,
            "checkpoint_every": 4,
            "keep_checkpoints": 2,
            "log_every": 1,
            "threads_per_rank": 1,
            **changes,
        }
    )


def make_tokenizer(folder: Path) -> Path:
    """A byte-level BPE of 300 entries with an end-of-document token, as the tokenize stage leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[END_OF_DOCUMENT],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    assert tokenizer.get_vocab_size() == VOCAB_SIZE
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_DOCUMENT}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return folder


def make_snapshots(folder: Path, tokenizer: Path) -> tuple[Snapshot, Snapshot]:
    """Training and validation sequences; the last one of each is padded."""
    found = []
    for split, count, seed in (("train", NUM_TRAIN, 0), ("validation", NUM_VALIDATION, 1)):
        snapshot = write_sequences(
            folder / split,
            random_tokens(count, LENGTH, VOCAB_SIZE, seed),
            rows_per_group=8,
            rows_per_file=32,
            vocab_size=VOCAB_SIZE,
            last_num_tokens=5,
            split=split,
        )
        digest = sha256((tokenizer / "tokenizer.json").read_bytes()).hexdigest()
        found.append(replace(snapshot, table=str(folder), tokenizer_hash=digest))
    return found[0], found[1]


def make_mixed(folder: Path, tokenizer: Path, num_sequences: int, seed: int) -> Snapshot:
    """Training sequences of another table, with row groups of another size."""
    snapshot = write_sequences(
        folder,
        random_tokens(num_sequences, LENGTH, VOCAB_SIZE, seed),
        rows_per_group=5,
        rows_per_file=20,
        vocab_size=VOCAB_SIZE,
    )
    digest = sha256((tokenizer / "tokenizer.json").read_bytes()).hexdigest()
    return replace(snapshot, tokenizer_hash=digest)


def make_job(
    folder: Path,
    config: TrainConfig | None = None,
    model: ModelConfig = MODEL,
    mixed: Sequence[tuple[int, int]] = (),
) -> TrainJob:
    """A job on new sequences below `folder`, as the training stage would make it.

    `mixed` has size and seed of each table of `config.mixture.lakes`.
    """
    config = config or make_config()
    tokenizer = make_tokenizer(folder / "tokenizer")
    train, validation = make_snapshots(folder / "sequences", tokenizer)
    others = [
        make_mixed(folder / f"mixed-{number}", tokenizer, *each) for number, each in enumerate(mixed, start=1)
    ]
    return job_of(folder, config, open_sources(config, train, others), validation, tokenizer, model)


def job_of(
    folder: Path,
    config: TrainConfig,
    sources: Sources,
    validation: Snapshot,
    tokenizer: Path,
    model: ModelConfig = MODEL,
) -> TrainJob:
    """A job on sequences that are there; checkpoints and model go below `folder`."""
    return TrainJob(
        model=model,
        config=config,
        plan=sources.plan,
        train=sources.layout,
        validation=read_layout(validation),
        vocab_size=VOCAB_SIZE,
        tokenizer_dir=str(tokenizer),
        checkpoint_dir=str(folder / "checkpoints"),
        model_dir=str(folder / "model"),
        source=sources.identity,
    )
