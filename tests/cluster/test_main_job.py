"""The whole main job on YARN and HDFS with the packed environment: `make test-cluster`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipelines.bundle.build import build_bundle
from pipelines.lake import Lake, Ledger
from ringlake.base.storage import Folder
from tests.cluster.conftest import Submission
from tests.support.hadoop import MiniHadoop

pytestmark = [pytest.mark.full, pytest.mark.timeout(5400)]

NEEDED_BYTES = 25 * 2**30
"""The archive, and what each NodeManager unpacks of it."""


@pytest.fixture(scope="module")
def bundle(hadoop: MiniHadoop, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bundle with its environment on HDFS, where each node fetches and unpacks it once for all jobs."""
    place = tmp_path_factory.mktemp("main-job")
    free = shutil.disk_usage(place).free
    assert free > NEEDED_BYTES, f"{free:,} bytes free at {place}, {NEEDED_BYTES:,} needed"
    folder = Path(os.environ.get("RINGLAKE_BUNDLE", place / "bundle"))
    made = build_bundle(folder, print, compress=False)
    packed = Path(made["environment"])
    with packed.open("rb") as source, Folder(f"{hadoop.uri}/environments").open(packed.name, "wb") as target:
        shutil.copyfileobj(source, target, 16 * 2**20)
    return {**made, "environment": f"{hadoop.uri}/environments/{packed.name}"}


@pytest.mark.parametrize("mode", ["cluster", "client"])
def test_the_main_job(mode: str, hadoop: MiniHadoop, bundle: dict[str, str], tmp_path: Path) -> None:
    lake = f"{hadoop.uri}/main-job-{mode}"
    before = set(hadoop.nodes())
    arguments = ["run", "conf/runs/python-docs.yaml", "--set", f"lake={lake}", "--set", "train.num_ranks=2"]
    options: tuple[str, ...] = ("--archives", f"{bundle['environment']}#environment")
    for name in ("spark.pyspark.python", "spark.yarn.appMasterEnv.PYSPARK_PYTHON"):
        options += ("--conf", f"{name}=./environment/bin/python")
    submission = Submission(hadoop, bundle, mode, arguments, tmp_path / mode, options)
    assert submission.wait(4800) == 0, submission.told()
    records = {record.stage: record for record in Ledger(Lake.at(lake)).records()}
    assert [record.state for record in records.values()] == ["succeeded"] * 9
    for record in records.values():
        spent = record.rows_out + record.rows_rejected + record.rows_quarantined + record.rows_duplicate
        assert record.rows_in == spent, record.stage
        print(f"{record.stage}: {record.rows_in:,} in, {record.rows_out:,} out, {record.seconds:.0f} s")
    print(records["evaluate"].details)
    assert records["evaluate"].details["below_bigram"] > 0.1
    nodes = {name: node for name, node in hadoop.nodes().items() if name not in before}
    assert {node for name, node in nodes.items() if not name.endswith("_000001")} == {0, 1}
