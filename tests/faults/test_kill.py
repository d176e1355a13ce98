"""kill -9 or Ctrl-C at any moment, then the same command: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import SmallJob
from tests.support.cli import command, environment, ringlake, status
from tests.support.tables import DATA_TABLES, content_hash

# Six starts of the whole job, on a machine that may be slow.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


MOMENTS = (
    ("commit documents", signal.SIGKILL),
    ("commit corpus", signal.SIGINT),
    ("[5/9] pack", signal.SIGKILL),
    ("step 4/24", signal.SIGINT),
    ("step 16/24", signal.SIGKILL),
)


def _end_when(args: list[str], log: Path, moment: str, how: signal.Signals, lake: Path) -> None:
    """Starts the command and ends it with a signal as soon as its output shows the moment."""
    with log.open("w") as output:
        process = subprocess.Popen(
            args,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment(),
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while not _reached(moment, log, lake):
            assert process.poll() is None, f"ended before {moment!r}:\n{log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"never reached {moment!r}:\n{log.read_text()[-4000:]}"
            time.sleep(0.02)
        family = psutil.Process(process.pid).children(recursive=True)
        if how == signal.SIGINT:
            # A terminal sends it to every process of the command.
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        else:
            process.kill()
            process.wait()
    text = log.read_text()
    if how == signal.SIGINT:
        assert process.returncode == 130, text[-4000:]
        assert text.splitlines()[-1].startswith("ringlake: interrupted"), text[-4000:]
        assert "Traceback" not in text
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, f"orphans of {moment!r}: {[p.cmdline() for p in alive]}"


def _reached(moment: str, log: Path, lake: Path) -> bool:
    if moment.startswith("commit "):
        # The first of a stage's tables is committed, the others and the ledger's row are not.
        return (lake / "tables" / moment.split()[1] / "_delta_log" / "00000000000000000000.json").exists()
    return moment in log.read_text(errors="replace")


def test_ended_at_many_moments_the_tables_equal_an_undisturbed_run(
    small_job: SmallJob, tmp_path: Path
) -> None:
    calm, hit = small_job.lake, tmp_path / "hit"
    args = command("run", small_job.run_file, "--set", f"lake={hit}")
    for number, (moment, how) in enumerate(MOMENTS):
        _end_when(args, tmp_path / f"log{number}", moment, how, hit)
    ringlake("run", small_job.run_file, "--set", f"lake={hit}")

    for table in DATA_TABLES:
        assert content_hash(hit, table) == content_hash(calm, table), table
    assert {entry["state"] for entry in status(hit)["runs"]} == {"succeeded"}
    succeeded = [entry["stage"] for entry in status(hit)["runs"] if entry["state"] == "succeeded"]
    assert sorted(succeeded) == sorted(entry["stage"] for entry in status(calm)["runs"])
    assert (hit / "report.html").is_file()
    train = next(entry for entry in status(hit)["runs"] if entry["stage"] == "train")
    assert train["rows_in"] == train["rows_out"]
