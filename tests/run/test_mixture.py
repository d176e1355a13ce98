"""`ringlake train` on a mixture of two lakes, from a run file; again, changed, and what does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from pipelines.lake import Lake, Ledger
from tests.conftest import SmallJob
from tests.support.cli import ringlake


@pytest.fixture
def lakes(small_job: SmallJob, tmp_path: Path) -> tuple[Path, Path]:
    """Two lakes whose tokenizers are the same."""
    own, other = tmp_path / "own", tmp_path / "other"
    shutil.copytree(small_job.lake, own)
    shutil.copytree(small_job.lake / "tables", other / "tables")
    return own, other


def run_file(small_job: SmallJob, own: Path, other: Path) -> Path:
    tree = yaml.safe_load(small_job.run_file.read_text())
    tree["lake"] = str(own)
    tree["train"]["mixture"] = {"weight": 3, "lakes": [{"lake": str(other), "weight": 1}]}
    path = own.parent / "mixture.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def test_a_mixture_trains_is_accounted_for_and_is_pinned(
    small_job: SmallJob, lakes: tuple[Path, Path]
) -> None:
    own, other = lakes
    command: list[str | Path] = ["train", "--lake", own, "--run", run_file(small_job, own, other)]
    done = ringlake(*command)
    assert f"75.0% of each batch from {own}/tables/sequences version 0" in done.stderr
    assert f"25.0% of each batch from {other}/tables/sequences version 0" in done.stderr
    assert "on 2 ranks" in done.stderr
    run = Ledger(Lake.at(own)).latest("train")
    assert run is not None
    assert run.rows_in == run.rows_out == 24 * 8
    lines = [json.loads(line) for line in Path(run.details["metrics"]).read_text().splitlines()]
    assert [line["planned_by_table"] for line in lines] == [[6, 2]] * 24
    assert [table["sequences"] for table in run.details["tables"]] == [144, 48]

    assert "train: up to date" in ringlake(*command).stderr
    # Another lake is an input like the run's own: what it holds now is not what was trained on.
    shutil.rmtree(other / "tables" / "sequences")
    refused = ringlake(*command, code=3)
    assert f"no table 'sequences' in the lake {other}" in refused.stderr
    assert "Traceback" not in refused.stderr
