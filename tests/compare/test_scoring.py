"""A text's nats are those of its tokens, each predicted once from what is before it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from training.inference.held_out import score_texts

TEXTS = ["Return the name of the object.", "x", "", "The file is opened and read line by line. " * 40]


def direct(folder: Path, text: str) -> tuple[float, int]:
    """Nats of a text and its tokens: window after window, one token at a time."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    length = model.config.max_position_embeddings
    ids = [tokenizer.eos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
    nats, start = 0.0, 0
    for place in range(1, len(ids)):
        if place - start == length:
            start = place - 1
        with torch.no_grad():
            logits = model(torch.tensor([ids[start:place]])).logits[0, -1]
        nats -= float(torch.log_softmax(logits.double(), 0)[ids[place]])
    return nats, len(ids) - 1


def test_nats_are_those_of_each_token(small_lake: Path) -> None:
    found = score_texts(str(small_lake / "model"), TEXTS, 0, 1, 256)
    assert [score.number for score in found] == [0, 1, 2, 3]
    for score, text in zip(found, TEXTS, strict=True):
        nats, tokens = direct(small_lake / "model", text)
        assert score.num_tokens == tokens
        assert score.nats == pytest.approx(nats, rel=1e-4, abs=1e-6)
    assert found[2].nats == 0 and found[3].num_tokens > 128


def test_ranks_divide_the_texts_and_batches_change_nothing(small_lake: Path) -> None:
    folder = str(small_lake / "model")
    whole = score_texts(folder, TEXTS, 0, 1, 8192)
    parts = score_texts(folder, TEXTS, 0, 2, 64) + score_texts(folder, TEXTS, 1, 2, 64)
    for one, other in zip(whole, sorted(parts, key=lambda score: score.number), strict=True):
        assert (one.number, one.num_tokens) == (other.number, other.num_tokens)
        assert one.nats == pytest.approx(other.nats, rel=1e-5, abs=1e-6)
