"""Gigabytes from ingest to training, default settings: MB/s, memory and disk of every stage by size.

python -m benchmarks size                                   1 and 3 GB of JSON Lines; 40 minutes, 30 GB
python -m benchmarks size --gigabytes 10                    two hours, 60 GB
python -m benchmarks size --cluster --gigabytes 3           two executors of one core and 2 GB heap each
python -m benchmarks size --shape one-cluster --gigabytes 1 beside an ordinary corpus of the same bytes
python -m benchmarks size --draw results.jsonl              the plot of what --results collected

The text is that of `benchmarks.generated`. A fresh process runs `ringlake run --until train` for each size,
with nothing set but the master and 50 steps. Seconds and shuffled bytes are the ledger's; memory (of all
processes: pages that no file backs, and once the largest set that one does), their processor time, and the
disk that Spark's temporary files take are sampled each second. Rates are bytes of input over seconds, for
every stage: by the clock, and by processor time, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks import corpus, generated
from benchmarks.machine import describe
from benchmarks.usage import Usage, watch

PLOT = corpus.ROOT / "docs" / "images" / "size.svg"
TOLERANCE = 0.25
"""How much the rates of a stage may differ between sizes."""

STAGES = ("ingest", "clean", "dedup", "tokenize", "pack", "train")
CLUSTER = "local-cluster[2,1,2048]"
BASE_MEGABYTES = 200
"""Most text that is taken from the installation; about 56 MB are there."""


def main(argv: list[str]) -> int:
    """Runs what is asked for, prints a table, or JSON, and draws a plot."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1, 3], help="10^9 bytes of JSON Lines")
    parser.add_argument("--shape", choices=sorted(generated.SHAPES), default="ordinary")
    parser.add_argument("--cluster", action="store_true", help=f"on {CLUSTER}")
    parser.add_argument("--until", choices=STAGES, default="train")
    parser.add_argument("--set", action="append", default=[], help="passed on to ringlake run")
    parser.add_argument("--folder", type=Path, help="for input and lake; default: a temporary one")
    parser.add_argument(
        "--keep", action="store_true", help="leave the input in --folder, and use one that is"
    )
    parser.add_argument("--results", type=Path, help="JSON Lines file that gets a line for each run")
    parser.add_argument("--draw", type=Path, help="only draw the plot of such a file")
    parser.add_argument("--plot", type=Path, help=f"SVG or PNG file, e.g. {PLOT.relative_to(corpus.ROOT)}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.draw:
        runs = [json.loads(line) for line in options.draw.read_text(encoding="utf-8").splitlines()]
    else:
        with tempfile.TemporaryDirectory(prefix="ringlake-size-") as temporary:
            folder = options.folder or Path(temporary)
            runs = [measure(gigabytes, folder, options) for gigabytes in options.gigabytes]
    if options.plot or options.draw:
        draw(runs, options.plot or PLOT)
    sys.stdout.write("\n".join(map(json.dumps, runs)) + "\n" if options.json else text(runs))
    return 0


def measure(gigabytes: float, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One run: what went in, what each stage took."""
    machine = describe()
    source = folder / f"{options.shape}-{gigabytes:g}"
    if not (options.keep and source.is_dir()):
        documents = corpus.texts(folder, BASE_MEGABYTES)
        generated.SHAPES[options.shape](source, documents, int(gigabytes * 1e9))
    stages = run(source, folder, options)
    if not options.keep:
        shutil.rmtree(source)
    found = {
        "benchmark": "size",
        "shape": options.shape,
        "master": CLUSTER if options.cluster else "local[2]",
        "gigabytes": gigabytes,
        "stages": stages,
        "machine": machine,
    }
    if options.results:
        with options.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(found) + "\n")
    return found


def run(source: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds, rates, memory and disk of the stages of a run in a process of its own.

    Raises:
        RuntimeError: It failed; its messages are above.
    """
    from pipelines.lake import Ledger
    from pipelines.lake.paths import Lake

    place = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    lake, scratch = place / "lake", place / "spark"
    sections: dict[str, Any] = {
        "name": "size",
        "lake": str(lake),
        "spark": {"master": CLUSTER if options.cluster else "local[2]"},
        "ingest": {"inputs": [str(source)]},
        "train": {"steps": 50},
    }
    if options.cluster:
        sections["spark"]["conf"] = {"spark.executor.memory": "2g", "spark.executor.cores": "1"}
    run_file = place / "run.yaml"
    run_file.write_text(yaml.safe_dump(sections), encoding="utf-8")
    overrides = [word for value in options.set for word in ("--set", value)]
    command = [sys.executable, "-m", "pipelines.cli.main", "run", str(run_file), "--until", options.until]
    process = subprocess.Popen(
        [*command, *overrides],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=corpus.ROOT,
        env=os.environ | {"PYTHONPATH": str(corpus.ROOT), "SPARK_LOCAL_DIRS": str(scratch)},
    )
    usage = watch(process, scratch, seconds=1.0)
    if process.returncode:
        raise RuntimeError(f"ringlake run ended with exit code {process.returncode}; its messages are above")
    num_bytes = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    records = {record.stage: record for record in Ledger(Lake.at(lake)).records()}
    stages = {stage: _row(records[stage], usage, num_bytes) for stage in STAGES if stage in records}
    shutil.rmtree(place)
    return stages


def _row(record: Any, usage: Usage, num_bytes: int) -> dict[str, Any]:
    # A tokenizer is trained on a sample of one size, and Spark starts once, whatever the size of the corpus.
    fixed = sum(record.details.get(name, 0.0) for name in ("training_seconds", "spark_start_seconds"))
    processor_seconds = sum(usage.cpu_seconds[record.stage].values())
    return {
        "seconds": record.seconds,
        "fixed_seconds": fixed,
        "mb_per_second": num_bytes / 1e6 / max(record.seconds - fixed, 1e-9),
        "processor_seconds": processor_seconds,
        "mb_per_processor_second": num_bytes / 1e6 / max(processor_seconds, 1e-9),
        "shuffled_bytes": record.details.get("shuffled_bytes", 0),
        "peak_bytes": usage.peak_bytes[record.stage]["all"],
        "scratch_bytes": usage.scratch_bytes[record.stage],
        "rows": record.rows_in,
    }


def text(runs: Sequence[Mapping[str, Any]]) -> str:
    """The runs for people: a table each, then how far the rates of each stage differ between sizes."""
    lines = []
    for found in runs:
        lines.append(f"{found['gigabytes']:g} GB, {found['shape']}, {found['master']}\n")
        head = [
            "stage",
            "s",
            "of it fixed",
            "MB/s",
            "CPU s",
            "GiB of memory",
            "GiB shuffled",
            "GiB of scratch",
        ]
        rows = [
            [
                stage,
                f"{row['seconds']:.0f}",
                f"{row['fixed_seconds']:.0f}",
                f"{row['mb_per_second']:.1f}",
                f"{row['processor_seconds']:.0f}",
                *(f"{row[name] / 2**30:.1f}" for name in ("peak_bytes", "shuffled_bytes", "scratch_bytes")),
            ]
            for stage, row in found["stages"].items()
        ]
        lines.append(corpus.table_text(head, rows))
    ordinary = [found for found in runs if found["shape"] == "ordinary"]
    if len(ordinary) > 1:
        lines.append(corpus.table_text(["stage", "slowest / fastest", "within 25%"], _spread(ordinary)))
    lines.append(f"{json.dumps(runs[-1]['machine'])}\n")
    return "\n".join(lines)


def _spread(runs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = []
    for stage in STAGES[:-1]:
        rates = [found["stages"][stage]["mb_per_second"] for found in runs if stage in found["stages"]]
        share = min(rates) / max(rates)
        rows.append([stage, f"{share:.2f}", "yes" if share >= 1 - TOLERANCE else "NO"])
    return rows


def draw(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """MB/s by size, a line for each stage; and the memory of all processes beside it."""
    import altair as alt

    rows = [
        {
            "GB": found["gigabytes"],
            "stage": stage,
            "MB/s": row["mb_per_second"],
            "GiB": row["peak_bytes"] / 2**30,
        }
        for found in runs
        for stage, row in found["stages"].items()
        if found["shape"] == "ordinary" and stage != "train"
    ]
    size = alt.X("GB:Q", title="GB of JSON Lines", scale=alt.Scale(type="log"))
    color = alt.Color("stage:N", sort=list(STAGES), title=None)
    charts = [
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(x=size, y=alt.Y(f"{name}:Q", title=title, scale=alt.Scale(zero=True)), color=color)
        .properties(width=360, height=260)
        for name, title in (("MB/s", "MB of input a second"), ("GiB", "peak memory of all processes, GiB"))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    alt.hconcat(*charts).save(str(path))
