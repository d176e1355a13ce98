"""The main job, measured: documents/s, MB/s and tokens/s of each stage, memory, waiting for data.

python -m benchmarks                 a fresh run of the default run file in a temporary lake
python -m benchmarks --lake lake     the newest run of each stage of a lake that is there
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe
from conf import DEFAULT_RUN
from pipelines.errors import RinglakeError
from pipelines.lake import Lake, Ledger, RunRecord, read_arrow

TEXT_READ = {
    "ingest": ("documents", "num_bytes"),
    "clean": ("documents", "num_bytes"),
    "dedup": ("clean", "num_bytes"),
    "tokenize": ("corpus", "num_bytes"),
    "pack": ("tokens", "num_bytes"),
}
"""Table and column whose sum is the text that a stage works through, in bytes of UTF-8."""

STAGES = (*TEXT_READ, "train", "evaluate", "generate", "report")


@dataclass(frozen=True)
class Measured:
    """One stage.

    Attributes:
        stage: Its name.
        seconds: Wall time of the whole stage, what it needs to start included.
        share: Of the total of all stages, 0 to 1.
        rows: Documents (or sequences) that went in.
        unit: What rows counts.
        num_bytes: Text it worked through, in bytes; None where there is none.
        tokens: Tokens that it made or learned from; None where there are none.
        peak_memory_mb: Peak of the driver's process tree, in MiB.
    """

    stage: str
    seconds: float
    share: float
    rows: int
    unit: str
    num_bytes: int | None
    tokens: int | None
    peak_memory_mb: float

    @property
    def rates(self) -> dict[str, float | None]:
        """Rows, MB (10**6 bytes) and tokens a second."""
        parts = {
            "rows": self.rows or None,
            "mb": self.num_bytes and self.num_bytes / 1e6,
            "tokens": self.tokens,
        }
        return {
            f"{name}_per_second": None if value is None or not self.seconds else value / self.seconds
            for name, value in parts.items()
        }


def measure(lake: Lake) -> list[Measured]:
    """What the ledger and the tables of a lake say of the newest successful run of each stage."""
    newest = {record.stage: record for record in Ledger(lake).records() if record.state == "succeeded"}
    runs = [newest[stage] for stage in STAGES if stage in newest]
    total = sum(run.seconds for run in runs)
    return [
        Measured(
            stage=run.stage,
            seconds=run.seconds,
            share=run.seconds / total if total else 0.0,
            rows=run.rows_in,
            unit=run.unit,
            num_bytes=_text_bytes(lake, run),
            tokens=_tokens(lake, run),
            peak_memory_mb=run.peak_memory_mb,
        )
        for run in runs
    ]


def training(lake: Lake) -> dict[str, Any] | None:
    """What training measured inside its steps, start and validation excluded; None if it has not run."""
    run = Ledger(lake).latest("train")
    if run is None:
        return None
    names = ("num_ranks", "steps", "seconds", "tokens_per_second", "data_wait_share", "parameters")
    return {name: run.details.get(name) for name in names}


def result(lake: Lake, machine: dict[str, Any]) -> dict[str, Any]:
    """The whole measurement as JSON values."""
    stages = measure(lake)
    newest = Ledger(lake).records()
    return {
        "benchmark": "main_job",
        "code_versions": sorted({record.code_version for record in newest}),
        "machine": machine,
        "total_seconds": round(sum(stage.seconds for stage in stages), 3),
        "stages": [asdict(stage) | stage.rates for stage in stages],
        "training": training(lake),
    }


def show(value: dict[str, Any]) -> None:
    """Prints a measurement for people."""
    machine = value["machine"]
    console = Console(width=None if sys.stdout.isatty() else 130)
    table = Table(title="main job", title_justify="left", box=None, pad_edge=False)
    heads = ("stage", "seconds", "share", "in", "unit", "rows/s", "MB/s", "tokens/s", "peak memory")
    for head in heads:
        table.add_column(head, justify="left" if head in ("stage", "unit") else "right", no_wrap=True)
    for stage in value["stages"]:
        table.add_row(
            stage["stage"],
            f"{stage['seconds']:.1f}",
            f"{stage['share']:.1%}",
            f"{stage['rows']:,}" if stage["rows"] else "–",
            stage["unit"] if stage["rows"] else "",
            _rate(stage["rows_per_second"]),
            _rate(stage["mb_per_second"]),
            _rate(stage["tokens_per_second"]),
            f"{stage['peak_memory_mb'] / 1024:.2f} GiB",
        )
    table.add_row("total", f"{value['total_seconds']:.1f}")
    console.print(table)
    if value["training"]:
        steps = {key: number for key, number in value["training"].items() if number is not None}
        if "data_wait_share" in steps:
            console.print(
                f"training waits for data in {steps['data_wait_share']:.2%} of the time of its steps"
            )
        if "tokens_per_second" in steps:
            console.print(f"training computes {steps['tokens_per_second']:,.0f} tokens/s within its steps")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, "
        f"load before {machine['load_before']}; {versions}; {', '.join(value['code_versions'])}",
        style="dim",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs or reads the main job and prints what it took; the exit code of the run if that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks main_job", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--lake", type=Path, help="read the runs of this lake instead of running the job")
    parser.add_argument(
        "--run", default=DEFAULT_RUN, help=f"run file of a fresh run (default: {DEFAULT_RUN})"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override, as for the run"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    machine = describe()
    try:
        if options.lake is not None:
            lake = Lake.at(options.lake)
            lake.require()
            value = result(lake, machine)
        else:
            with tempfile.TemporaryDirectory(prefix="ringlake-bench-") as folder:
                lake = Lake.at(Path(folder) / "lake")
                code = _run(options.run, [*options.set, f"lake={lake.location}"])
                if code:
                    return code
                value = result(lake, machine)
    except RinglakeError as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return error.exit_code
    if options.json:
        sys.stdout.write(json.dumps(value, indent=2) + "\n")
    else:
        show(value)
    return 0


def _run(run_file: str, overrides: list[str]) -> int:
    """The job as its users run it, in a process of its own; its progress goes to standard error."""
    command = [sys.executable, "-m", "pipelines.cli.main", "run", run_file]
    for override in overrides:
        command += ["--set", override]
    root = Path(__file__).resolve().parents[1]
    return subprocess.run(command, check=False, cwd=root, stdout=sys.stderr).returncode


def _text_bytes(lake: Lake, run: RunRecord) -> int | None:
    if run.stage not in TEXT_READ:
        return None
    return _sum(lake, run, *TEXT_READ[run.stage])


def _tokens(lake: Lake, run: RunRecord) -> int | None:
    if run.stage == "tokenize":
        return _sum(lake, run, "tokens", "num_tokens")
    key = {"pack": "tokens", "train": "tokens", "evaluate": "targets"}.get(run.stage)
    value = run.details.get(key) if key else None
    return int(value) if value is not None else None


def _sum(lake: Lake, run: RunRecord, table: str, column: str) -> int:
    """The sum of a column at the version that the run read or wrote."""
    version = {**run.inputs, **run.outputs}[table]
    values = read_arrow(lake, table, [column], version=version).column(column)
    return int(pc.sum(values).as_py() or 0)


def _rate(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
