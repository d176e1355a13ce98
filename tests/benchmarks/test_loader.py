"""The loader benchmark counts tokens right, and notices a reader that gives others than were written."""

from __future__ import annotations

from itertools import count, repeat
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.loader import VOCAB_SIZE, against, check, tokens, total_rate
from benchmarks.readers import BATCH, LENGTH, content, measure, numpy_memmap


def test_rate_is_tokens_over_the_time_of_their_batches() -> None:
    # One second a batch of 20 tokens; the clock is read once before the first.
    ticks = count()
    assert measure(repeat(np.zeros((2, 10))), 4.0, lambda: float(next(ticks))) == 20.0


def test_ranks_are_added_up_before_the_median_is_taken() -> None:
    assert total_rate([[1.0, 5.0, 3.0], [10.0, 40.0, 20.0]]) == 23.0


def test_ratio_is_ours_over_theirs() -> None:
    rates = {"ringlake": {"2": 60.0}, "a": {"2": 20.0}, "b": {"2": 120.0}}
    assert against(rates, "2") == {"a": 3.0, "b": 0.5}
    assert against({"a": {"2": 20.0}}, "2") == {}


def test_two_ranks_together_give_what_was_written(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, VOCAB_SIZE, (BATCH * 5 + 3, LENGTH)).astype(np.uint16)
    np.save(tmp_path / "tokens.npy", rows)
    parts = [content(numpy_memmap(tmp_path, rank, 2, 0)) for rank in range(2)]
    truth = {"rows": len(rows), "checksum": int((rows.astype(np.int64) ** 2).sum())}
    assert not check("numpy", parts, truth)
    with pytest.raises(RuntimeError, match="numpy gave 21 rows"):
        check("numpy", parts[1:], truth)
    with pytest.raises(RuntimeError, match="checksum"):
        check("numpy", parts, truth | {"checksum": 0})
    # A library that loses rows is told of, and the others are measured all the same.
    assert "gave 21 of 43 rows" in check("petastorm", parts[1:], truth)
    assert not check("petastorm", parts, truth)


def test_tokens_are_of_the_vocabulary_and_small_ones_are_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.loader.NUM_SEQUENCES", 64)
    found = tokens()
    assert found.shape == (64, LENGTH)
    assert found.dtype == np.uint16
    assert int(found.max()) < VOCAB_SIZE
    # Under Zipf's law half of the tokens have an id below the square root of the vocabulary.
    assert 0.4 < float((found < VOCAB_SIZE**0.5).mean()) < 0.6


def test_a_peer_without_environment_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGLAKE_CACHE", str(tmp_path))
    assert peers.environments() == ["corpus", "loaders", "petastorm"]
    assert peers.python_of("loaders") is None
    assert "python -m benchmarks peers" in peers.missing("litdata")
    assert peers.main(["--where"]) == 0
    assert capsys.readouterr().out.count("not there") == 3
