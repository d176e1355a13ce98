"""What the command lines of the corpus benchmarks have in common: options, the worker's part, the output."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.machine import describe


def options_of(benchmark: str, description: str | None, keep: str) -> argparse.ArgumentParser:
    """A parser with the options that all have; each adds its own.

    Args:
        benchmark: Its name.
        description: The module's docstring.
        keep: What --keep is for.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {benchmark}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cores", default="1,2", help="numbers of cores, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of ringlake; the median counts")
    parser.add_argument("--keep", type=Path, help=keep)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser


def run(
    benchmark: str,
    parser: argparse.ArgumentParser,
    argv: Sequence[str],
    measure: Callable[[int, Path, int], dict[str, Any]],
    compare: Callable[[argparse.Namespace, Path], dict[str, Any]],
    text: Callable[[dict[str, Any]], str],
) -> int:
    """Measures ringlake in this process, if it is such a worker; else compares all and prints the outcome."""
    options = parser.parse_args(argv)
    if options.worker:
        corpus.tell(measure(options.worker, options.keep, options.rounds))
        return 0
    machine = describe()
    with tempfile.TemporaryDirectory(prefix=f"ringlake-{benchmark}-") as temporary:
        value = compare(options, Path(temporary))
    value |= {"benchmark": benchmark, "machine": machine, "command": [benchmark, *argv]}
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0
