"""kill -9 or Ctrl-C at any moment, then the same command: nothing is lost, nothing is doubled."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import SmallJob
from tests.support.cli import command, ringlake, status
from tests.support.ended import end_when
from tests.support.tables import DATA_TABLES, content_hash

# Three or four starts of the whole job, on a machine that may be slow.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


Moments = tuple[tuple[str, signal.Signals], ...]

MOMENTS: Moments = (("step 16/24", signal.SIGKILL),)
MORE: Moments = (
    ("commit corpus", signal.SIGINT),
    ("commit documents", signal.SIGKILL),
    ("[5/9] pack", signal.SIGKILL),
    ("step 4/24", signal.SIGINT),
)


def _reached(moment: str, log: Path, lake: Path) -> bool:
    if moment.startswith("commit "):
        # The first of a stage's tables is committed, the others and the ledger's row are not.
        return (lake / "tables" / moment.split()[1] / "_delta_log" / "00000000000000000000.json").exists()
    return moment in log.read_text(errors="replace")


@pytest.mark.parametrize(
    "moments",
    [pytest.param(MOMENTS, id="few"), pytest.param(MORE, id="more", marks=pytest.mark.rare)],
)
def test_ended_at_many_moments_the_tables_equal_an_undisturbed_run(
    small_job: SmallJob, tmp_path: Path, moments: Moments
) -> None:
    calm, hit = small_job.lake, tmp_path / "hit"
    args = command("run", small_job.run_file, "--set", f"lake={hit}")
    for number, (moment, how) in enumerate(moments):
        log = tmp_path / f"log{number}"
        end_when(args, log, moment, how, partial(_reached, moment, log, hit))
    ringlake("run", small_job.run_file, "--set", f"lake={hit}")

    for table in DATA_TABLES:
        assert content_hash(hit, table) == content_hash(calm, table), table
    assert {entry["state"] for entry in status(hit)["runs"]} == {"succeeded"}
    succeeded = [entry["stage"] for entry in status(hit)["runs"] if entry["state"] == "succeeded"]
    assert sorted(succeeded) == sorted(entry["stage"] for entry in status(calm)["runs"])
    assert (hit / "report.html").is_file()
    train = next(entry for entry in status(hit)["runs"] if entry["stage"] == "train")
    assert train["rows_in"] == train["rows_out"]
