"""A recipe that keeps boilerplate and duplicates loses; recipes that differ in nothing are called equal."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.compare.planted import write_planted, write_recipes
from tests.support.cli import command, environment, ringlake

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(3600)]


def test_boilerplate_loses_also_after_a_kill_and_with_more_seeds(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    write_planted(corpus, 300)
    keeps, drops = write_recipes(tmp_path, corpus)
    out = tmp_path / "out"
    words: list[str | Path] = ["compare", keeps, drops, "--budget", "20000", "--out", out, "--json"]
    process = subprocess.Popen(
        command(*words, "--seeds", "2"), stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "model of recipe B, seed 1" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    model = (out / "models" / "A-1" / "model" / "model.safetensors").stat().st_mtime_ns
    first = json.loads(ringlake(*words, "--seeds", "2", timeout=1800).stdout)
    done = ringlake(*words, "--seeds", "4", timeout=1800)
    result = json.loads(done.stdout)
    assert (out / "models" / "A-1" / "model" / "model.safetensors").stat().st_mtime_ns == model
    assert "dedup: find duplicates" not in done.stderr
    assert result["verdict"] == "B"
    assert result["interval"][0] > 0.05
    assert [pair["by_seed"][:2] for pair in result["pairs"]] == [pair["by_seed"] for pair in first["pairs"]]


def test_another_cut_of_the_same_corpus_is_no_better(tmp_path: Path) -> None:
    """One of the twenty repetitions of `python -m benchmarks compare_rate`, whose rate is measured there."""
    corpus = tmp_path / "corpus.jsonl"
    write_planted(corpus, 300, junk=0)
    mix = {"groups": [{"name": "all"}]}
    one = write_recipes(tmp_path, corpus)[1]
    other = tmp_path / "other.yaml"
    shutil.copy(one, other)
    other.write_text(other.read_text(encoding="utf-8") + f"mix: {json.dumps({**mix, 'seed': 2})}\n")
    result = json.loads(
        ringlake(
            *(
                "compare",
                one,
                other,
                "--budget",
                "10000",
                "--seeds",
                "3",
                "--out",
                tmp_path / "out",
                "--json",
            ),
            timeout=1800,
        ).stdout
    )
    assert result["verdict"] == "no difference"
    assert result["difference_bits_per_byte"] != 0
    assert result["power"]["detectable_bits_per_byte"] > 0
    assert "cannot tell A and B apart" in result["pairs"][0]["told"]
