"""Ten times the documents: time, memory and processor time of every stage from ingest to pack.

python -m benchmarks scale                                   15,000 and 150,000 documents; about 6 minutes
python -m benchmarks scale --documents 2000 --factor 3       takes a minute

The documents are those of the Python installation; ten times as many are ten copies in which three of ten
words are replaced, so that they are no duplicates of each other. Both runs go through `ringlake run` in a
fresh process. Time is the ledger's; memory and processor time are sampled from the JVM, Spark's Python
workers and the driver's Python. Where the workers spend it is sampled inside them (profile_site).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks import corpus
from benchmarks.machine import describe
from benchmarks.usage import PARTS, watch

PLOT = corpus.ROOT / "docs" / "images" / "scale.svg"

LIMIT = 1.1
"""Most that a stage may take, over what the number of documents says."""

_FILES = 8


def main(argv: list[str]) -> int:
    """Runs both sizes, prints a table, or JSON, and draws a plot."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--documents", type=int, default=15_000, help="of the smaller run")
    parser.add_argument("--factor", type=int, default=10, help="times as many in the larger run")
    parser.add_argument("--cores", type=int, default=2, help="task slots of local[N]")
    parser.add_argument("--profile", default="documentation", help="rules of clean")
    parser.add_argument(
        "--plot", type=Path, default=PLOT, help=f"SVG or PNG file; {PLOT.name} in docs/images"
    )
    parser.add_argument("--keep", type=Path, help="folder for the text, used again if it is there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="ringlake-scale-") as temporary:
        value = compare(options, Path(temporary))
    value |= {"benchmark": "scale", "machine": machine, "command": ["scale", *argv]}
    draw(value, options.plot)
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Both runs and their ratios."""
    base = take(corpus.texts(options.keep or folder, options.documents / 1500), options.documents)
    runs = {}
    for factor in (1, options.factor):
        place = folder / str(factor)
        size = write_input(place / "in", base, factor)
        runs[factor] = run(place, options) | {"documents": len(base) * factor, "bytes": size}
    small, large = runs[1], runs[options.factor]
    stages = {}
    for name in small["stages"]:
        one, many = small["stages"][name], large["stages"][name]
        cpu = [sum(each["cpu_seconds"].values()) for each in (one, many)]
        stages[name] = {
            "seconds": [one["seconds"], many["seconds"]],
            "ratio": many["seconds"] / one["seconds"],
            "cpu_seconds": cpu,
            "cpu_ratio": cpu[1] / max(cpu[0], 1e-9),
            "worker_bytes": [one["peak_bytes"]["workers"], many["peak_bytes"]["workers"]],
            "jvm_bytes": [one["peak_bytes"]["jvm"], many["peak_bytes"]["jvm"]],
            "cpu_parts": many["cpu_seconds"],
        }
    parts = {(stage, part): cpu for stage, row in stages.items() for part, cpu in row["cpu_parts"].items()}
    bottleneck = max(parts, key=lambda place: parts[place])
    return {
        "factor": options.factor,
        "documents": [small["documents"], large["documents"]],
        "bytes": [small["bytes"], large["bytes"]],
        "stages": stages,
        "functions": large["functions"],
        "bottleneck": [*bottleneck, parts[bottleneck], parts[bottleneck] / sum(parts.values())],
    }


def take(documents: Sequence[str], number: int) -> Sequence[str]:
    """So many documents.

    Raises:
        SystemExit: The installation has fewer.
    """
    if len(documents) < number:
        raise SystemExit(
            f"there are only {len(documents):,} documents of this size; say --documents {len(documents)}"
        )
    return documents[:number]


def write_input(folder: Path, base: Sequence[str], factor: int) -> int:
    """The documents and their copies, the first unchanged, as JSON lines; returns bytes of text."""
    folder.mkdir(parents=True)
    total = 0
    for copy, texts in enumerate(corpus.copies(base, factor)):
        total += corpus.num_bytes(texts)
        for part in range(_FILES):
            corpus.write_lines(folder / f"{copy:03d}-{part}.jsonl", texts[part::_FILES])
    return total


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One run from ingest to pack: seconds, processor time and memory of its stages.

    Raises:
        RuntimeError: It failed; its messages are above.
    """
    from pipelines.lake import Ledger
    from pipelines.lake.paths import Lake

    run_file, profile, lake = folder / "run.yaml", folder / "profile", folder / "lake"
    profile.mkdir()
    sections = {
        "name": "scale",
        "lake": str(lake),
        "spark": {"master": f"local[{options.cores}]", "driver_memory": "2g"},
        "ingest": {"format": "jsonl", "inputs": [str(folder / "in")]},
        "clean": {"profile": options.profile},
        "tokenize": {"vocab_size": 4096, "sample_bytes": 4 * 2**20},
        "pack": {"sequence_length": 512},
    }
    run_file.write_text(yaml.safe_dump(sections), encoding="utf-8")
    paths = [str(Path(__file__).with_name("profile_site")), str(corpus.ROOT)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "RINGLAKE_WORKER_PROFILE": str(profile),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli.main", "run", str(run_file), "--until", "pack"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=corpus.ROOT,
        env=environment,
    )
    usage = watch(process)
    if process.returncode:
        raise RuntimeError(f"ringlake run ended with exit code {process.returncode}; its messages are above")
    stages = {
        record.stage: {
            "seconds": record.seconds,
            "cpu_seconds": {part: usage.cpu_seconds[record.stage][part] for part in PARTS},
            "peak_bytes": usage.peak_bytes[record.stage],
            "rows": record.rows_in,
        }
        for record in Ledger(Lake.at(lake)).records()
    }
    return {"stages": stages, "functions": functions(profile)}


def functions(folder: Path) -> list[tuple[str, float]]:
    """Processor seconds of the workers by function of ringlake, the largest first."""
    spent: dict[str, float] = defaultdict(float)
    for file in folder.glob("*.json"):
        for place, seconds in json.loads(file.read_text(encoding="utf-8")).items():
            spent[place] += seconds
    return sorted(spent.items(), key=lambda item: -item[1])[:15]


def draw(value: Mapping[str, Any], path: Path) -> None:
    """By stage, how many times as long the larger run took beside the limit, and the memory of a worker."""
    import altair as alt

    sizes = [f"{number:,} documents" for number in value["documents"]]
    ratios = [{"stage": stage, "times": row["ratio"]} for stage, row in value["stages"].items()]
    rows = [
        {"stage": stage, "size": size, "MiB": memory / 2**20}
        for stage, row in value["stages"].items()
        for size, memory in zip(sizes, row["worker_bytes"], strict=True)
    ]
    stages = alt.X("stage:N", sort=list(value["stages"]), title=None, axis=alt.Axis(labelAngle=0))
    most = LIMIT * value["factor"]
    times = alt.Y("times:Q", title=f"times as long for {value['factor']} times the documents")
    limit = alt.Chart(alt.Data(values=[{"times": most}])).mark_rule(strokeDash=[4, 3]).encode(y=times)
    bars = alt.Chart(alt.Data(values=ratios)).mark_bar(width=24).encode(x=stages, y=times)
    memory_bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=stages,
            xOffset=alt.XOffset("size:N", sort=sizes),
            color=alt.Color("size:N", sort=sizes, title=None),
            y=alt.Y("MiB:Q", title="peak memory of a Python worker, MiB"),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    charts = [chart.properties(width=360, height=220) for chart in (bars + limit, memory_bars)]
    alt.hconcat(*charts).save(str(path))


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    (few, many), factor = value["documents"], value["factor"]
    lines = [f"{few:,} and {many:,} documents, {' and '.join(_megabytes(value['bytes']))} of text\n"]
    head = ["stage", f"s, {few:,}", f"s, {many:,}", "ratio", f"at most {LIMIT * factor:g}", "CPU s", "CPU s"]
    head += ["CPU ratio", "worker MiB", "worker MiB", "JVM MiB", "JVM MiB"]
    rows = []
    for name, row in value["stages"].items():
        cells = [f"{seconds:.1f}" for seconds in row["seconds"]]
        cells += [f"{row['ratio']:.1f}", "yes" if row["ratio"] <= LIMIT * factor else "NO"]
        cells += [*(f"{seconds:.1f}" for seconds in row["cpu_seconds"]), f"{row['cpu_ratio']:.1f}"]
        cells += [f"{size / 2**20:.0f}" for kind in ("worker_bytes", "jvm_bytes") for size in row[kind]]
        rows.append([name, *cells])
    lines.append(corpus.table_text(head, rows))
    parts = [
        [name, *(f"{row['cpu_parts'][part]:.1f}" for part in PARTS)] for name, row in value["stages"].items()
    ]
    lines.append(corpus.table_text([f"CPU seconds, {many:,}", *PARTS], parts))
    spent = [[place, f"{seconds:.1f}"] for place, seconds in value["functions"]]
    lines.append(corpus.table_text(["in the workers, by function", "CPU s"], spent))
    stage, part, seconds, share = value["bottleneck"]
    lines.append(f"next bottleneck: {part} in {stage}, {seconds:.1f} CPU s, {share:.0%} of all\n")
    lines.append(f"python -m benchmarks {' '.join(value['command'])}\n{json.dumps(value['machine'])}\n")
    return "\n".join(lines)


def _megabytes(sizes: Iterable[int]) -> list[str]:
    return [f"{size / 1e6:.1f} MB" for size in sizes]
