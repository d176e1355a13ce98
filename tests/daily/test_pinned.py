"""A training that was interrupted goes on undisturbed by a batch that came since; the next one takes it."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from pipelines.lake import Catalog, Lake, Ledger
from tests.daily.test_run import texts, write
from tests.support.cli import SMALL_RUN, command, ringlake, write_run
from tests.support.ended import end_when

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(1800)]


def _ids(lake: Path, key: str) -> dict[int, Any]:
    """Hash of the sequence ids of each step of a training, as its ranks noted them."""
    log = next((lake / "checkpoints" / key).rglob("metrics.jsonl"))
    return {line["step"]: line["ids_hash"] for line in map(json.loads, log.read_text().splitlines())}


def test_a_pinned_training_goes_on(tmp_path: Path) -> None:
    base = texts(9, 120)
    folder, calm, hit = tmp_path / "in", tmp_path / "calm", tmp_path / "hit"
    write(folder, {"a.jsonl": base[:80]})
    train = {**SMALL_RUN["train"], "steps": 24, "checkpoint_every": 4}
    run_file = write_run(tmp_path / "run.yaml", folder, train=train)

    def args(lake: Path) -> list[str | Path]:
        return ["run", run_file, "--incremental", "--set", f"lake={lake}", "--set", "clean.profile=none"]

    ringlake(*args(calm), "--until", "train")
    log = tmp_path / "log"
    end_when(
        command(*args(hit), "--until", "train"),
        log,
        "step 12",
        signal.SIGKILL,
        lambda: "step 12/24" in log.read_text(errors="replace"),
    )
    pinned = Catalog(Lake.at(hit)).version("sequences")
    write(folder, {"b.jsonl": base[80:]})
    told = ringlake(*args(hit), "--until", "train").stderr
    assert f"it goes on with version {pinned} of sequences" in told
    first = Ledger(Lake.at(hit)).latest("train")
    undisturbed = Ledger(Lake.at(calm)).latest("train")
    assert first is not None and undisturbed is not None
    assert first.inputs["sequences"] == pinned
    assert Catalog(Lake.at(hit)).version("sequences") != pinned
    expected = _ids(calm, undisturbed.details["checkpoint_key"])
    assert _ids(hit, first.details["checkpoint_key"]) == expected
    ringlake(*args(hit), "--until", "train")
    second = Ledger(Lake.at(hit)).latest("train")
    assert second is not None and second.inputs["sequences"] == Catalog(Lake.at(hit)).version("sequences")
    assert "train: up to date" in ringlake(*args(hit), "--until", "train").stderr

    # From that model on, three of old to one of new, and every step leads back to its documents.
    new = f"{{lake: {hit}, since: {pinned}, weight: 1}}"
    mixture = f"train.mixture={{version: {pinned}, weight: 3, lakes: [{new}]}}"
    shutil.copytree(hit / "model", tmp_path / "model")
    more = ["--set", mixture, "--set", f"model.pretrained={tmp_path / 'model'}", "--set", "train.steps=8"]
    ringlake(*args(hit), "--until", "train", *more)
    third = Ledger(Lake.at(hit)).latest("train")
    assert third is not None
    assert [(use["sequences"], use["since"]) for use in third.details["tables"]] == [(48, None), (16, pinned)]
    answer = json.loads(ringlake("trace", "--lake", hit, "--step", "2", "--json").stdout)
    (step,) = answer["steps"]
    assert step["ids_hash"] == step["ids_hash_in_log"]
    assert {document["source"] for document in answer["documents"]} == {"a.jsonl", "b.jsonl"}
    ringlake("verify", hit / "model", "--lake", hit)
