"""Reading what training left: whole, damaged, absent or somewhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.lake import Lake, RunRecord
from pipelines.report.facts import Curve, ModelScore
from pipelines.report.learning import evaluation, training
from tests.report.lakes import BEGAN


def run(**details: Any) -> RunRecord:
    return RunRecord("id", "train", "succeeded", "key", "hash", "{}", "code", BEGAN, 1, 1, details=details)


def write(path: Path, *lines: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def test_curves_take_the_steps_that_have_a_value(tmp_path: Path) -> None:
    path = write(
        tmp_path / "checkpoints" / "metrics.jsonl",
        '{"step": 1, "loss": 5.5, "data_wait_share": 0.5}',
        '{"step": 2, "loss": "high", "validation_loss": 4.5}',
        '{"step": 3, "loss": NaN, "tokens_per_second": 12}',
        "[1, 2]",
        "not json",
        '{"step": "four", "loss": 1.0}',
        '{"step": 5, "lo',
    )
    result = training(Lake.at(tmp_path), run(metrics=path, steps=5, parameters=10, best=True))
    assert result is not None
    assert result.problem is None
    assert result.loss == Curve((1,), (5.5,))
    assert result.validation == Curve((2,), (4.5,))
    assert result.throughput == Curve((3,), (12.0,))
    assert result.waiting == Curve((1,), (0.5,))
    assert result.figures == (("parameters", "10"), ("steps", "5"))


def test_what_a_mixture_took_of_each_table_is_shown(tmp_path: Path) -> None:
    one = {"table": "/a", "version": 3, "weight": 2.0, "sequences": 1234, "passes": 0.5}
    other = {"table": "/b", "version": 0, "weight": 0.5, "sequences": 308, "passes": 2.25}
    result = training(Lake.at(tmp_path), run(steps=5, tables=[one, other, {"table": "/c"}]))
    assert result is not None
    assert result.figures[1:] == (
        ("of /a, version 3", "1,234 sequences, 0.50 passes, weight 2"),
        ("of /b, version 0", "308 sequences, 2.25 passes, weight 0.5"),
    )
    alone = training(Lake.at(tmp_path), run(steps=5, tables=[one]))
    assert alone is not None
    assert alone.figures == (("steps", "5"),)


def test_a_file_outside_the_lake_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere" / "metrics.jsonl", '{"step": 1, "loss": 5.5}')
    (tmp_path / "lake").mkdir()
    for named in (path, "../elsewhere/metrics.jsonl", 7, None):
        result = training(Lake.at(tmp_path / "lake"), run(metrics=named))
        assert result is not None
        assert result.problem is not None
        assert not result.loss


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    result = training(Lake.at(tmp_path), run(metrics=str(tmp_path / "metrics.jsonl"), loss=3.25))
    assert result is not None
    assert "No such file" in (result.problem or "")
    assert result.figures == (("training loss", "3.250"),)


def test_no_training_is_no_curves(tmp_path: Path) -> None:
    assert training(Lake.at(tmp_path), None) is None
    assert evaluation(Lake.at(tmp_path)) is None


def test_scores_that_are_missing_or_no_numbers_are_left_out(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    model = {"loss": 0.0, "bits_per_byte": "low"}
    value = {"model": model, "bigram": [1], "targets": 7, "below_bigram": None}
    lake.evaluation.replace(json.dumps(value))
    result = evaluation(lake)
    assert result is not None
    assert result.scores == (ModelScore("model", None, 0.0, 1.0),)
    assert result.below_bigram is None
    assert result.targets == 7
