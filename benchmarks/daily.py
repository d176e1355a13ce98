"""Daily batches against one big run: the same tables, and what a day costs as the history grows.

python -m benchmarks daily                           30 days of 200 documents
python -m benchmarks daily --days 6 --first 100      the first day is a hundred times the others
python -m benchmarks daily --days 6 --whole          and then one run over all files, compared

A day brings a file of new documents. One in twenty of them is an earlier document with more words, which
stays in its place; every fifth day an earlier file is replaced, every seventh day one is gone. The days run
in one Spark session, each to `pack`, with nothing set but the master. The last line has the median of the
last five days over that of the first five behind the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import corpus, generated
from benchmarks.machine import describe
from conf import load
from conf.spark import SparkConfig
from pipelines.console.console import Console
from pipelines.daily.plan import finished_batches
from pipelines.daily.run import Daily, run_daily
from pipelines.lake import Lake, read_arrow
from pipelines.run.execute import execute
from pipelines.run.usage import tree_cpu_seconds
from pipelines.session import open_session

TABLES = ("documents", "clean", "rejected", "corpus", "duplicates", "tokens")
"""Tables of which days and one big run must have the same documents."""

BASE_MEGABYTES = 20


def main(argv: list[str]) -> int:
    """Runs the days, prints a line of JSON for each, then their ratio and what differs from one run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks daily",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--documents", type=int, default=200, help="of a day")
    parser.add_argument("--first", type=int, default=1, help="the first day is so many times as large")
    parser.add_argument("--whole", action="store_true", help="compare with one run over the files of the end")
    parser.add_argument("--folder", type=Path, help="for files and lakes; default: a temporary one")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="ringlake-daily-") as scratch:
        return _run(given, given.folder or Path(scratch))


def _run(given: argparse.Namespace, folder: Path) -> int:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    texts = _texts(folder)
    spark = open_session(SparkConfig(master="local[2]"), "daily", log=folder / "spark.log")
    spent: list[Mapping[str, float]] = []
    kept: list[list[str]] = []
    try:
        for number in range(given.days):
            size = given.documents * (given.first if number == 0 else 1)
            _next_day(folder / "in", number, kept, list(itertools.islice(texts, size)))
            began, cpu = time.monotonic(), tree_cpu_seconds()
            run_daily(_config(folder, "lake"), Console(), Daily(), until="pack")
            spent.append({"seconds": time.monotonic() - began, "cpu_seconds": tree_cpu_seconds() - cpu})
            batch = finished_batches(Lake.at(str(folder / "lake")))[-1]
            told = {name: batch[name] for name in ("new", "replaced", "deleted", "superseded", "reopened")}
            _say({"day": number + 1, **{name: round(value, 1) for name, value in spent[-1].items()}, **told})
        differing = _differing(folder) if given.whole else None
    finally:
        spark.stop()
    _say(
        {
            "machine": describe(),
            "days": given.days,
            "documents": given.documents,
            "first": given.first,
            **{f"{name}_ratio": _ratio([day[name] for day in spent]) for name in ("seconds", "cpu_seconds")},
            "tables_that_differ": differing,
        }
    )
    return 1 if differing else 0


def _texts(folder: Path) -> Iterator[str]:
    """Documents without end, none a near-duplicate of another."""
    base = generated.base_of(corpus.texts(folder, BASE_MEGABYTES))
    for copy in itertools.count(1):
        for some in generated.texts(base, copy):
            yield from some


def _next_day(folder: Path, number: int, kept: list[list[str]], new: list[str]) -> None:
    """What changes in the folder of inputs on a day."""
    draw = random.Random(number)
    earlier = [text for texts in kept for text in texts]
    for place in range(0, len(new) if earlier else 0, 20):
        new[place] = f"{draw.choice(earlier)}\nAmended on day {number}."
    kept.append(new)
    _write(folder, number, new)
    if number and number % 5 == 0:
        other = draw.randrange(number)
        kept[other] = kept[other][: len(kept[other]) // 2]
        _write(folder, other, kept[other])
    if number and number % 7 == 0:
        gone = draw.randrange(number)
        kept[gone] = []
        (folder / f"{gone:03d}.jsonl").unlink(missing_ok=True)


def _write(folder: Path, number: int, texts: Sequence[str]) -> None:
    if texts:
        lines = (json.dumps({"id": str(place), "text": text}) for place, text in enumerate(texts))
        (folder / f"{number:03d}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _config(folder: Path, lake: str) -> Any:
    inputs = json.dumps([str(folder / "in")])
    return load(None, [f"lake={folder / lake}", f"ingest.inputs={inputs}", "spark.master=local[2]"])


def _differing(folder: Path) -> list[str]:
    """Tables that one run over the files of the end makes otherwise."""
    execute(_config(folder, "whole"), Console(), until="pack")

    def ids(lake: str, table: str) -> list[tuple[Any, ...]]:
        columns = ["doc_id", "split"] if table == "corpus" else ["doc_id"]
        found = read_arrow(Lake.at(str(folder / lake)), table, columns)
        return sorted(tuple(row[name] for name in columns) for row in found.to_pylist())

    return [table for table in TABLES if ids("lake", table) != ids("whole", table)]


def _ratio(values: Sequence[float]) -> float | None:
    """Median of the last five days over that of the first five behind the first; None: too few days."""
    later = values[1:]
    if len(later) < 2:
        return None
    some = min(5, len(later) // 2)
    return round(statistics.median(later[-some:]) / statistics.median(later[:some]), 2)


def _say(values: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(values, default=str) + "\n")
    sys.stdout.flush()
