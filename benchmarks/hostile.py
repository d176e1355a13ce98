"""What every step costs on texts that are made to be slow, and whether that grows with their size alone.

python -m benchmarks hostile                                  every step, every family, 1 and 2 MB
python -m benchmarks hostile --megabytes 1 2 4 8              the sizes of the documentation: hours
python -m benchmarks hostile --steps 'privacy' --families 'digit'
python -m benchmarks hostile --json

A step is called with one text of each family and size in a process of its own, which is ended where a call
takes longer than --limit seconds a megabyte. Told are the calls that are

- slow: more than five seconds of CPU time a megabyte (2 microseconds for a record of a letter and a line feed
  are one second);
- not linear: twice the size takes more than 2.8 times the time, of calls above 0.3 s;
- large: memory above 100 bytes for each byte of the text, and 64 MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.hostile_python import PYTHON_FAMILIES
from benchmarks.hostile_texts import FAMILIES
from benchmarks.machine import describe

SLOW_SECONDS = 5.0

MOST_GROWTH = 2.8
LEAST_SECONDS = 0.3
BYTES_PER_BYTE = 100
FREE_BYTES = 64 * 10**6


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        step: Name of the step.
        family: Name of the family of texts.
        num_bytes: Size of the text in UTF-8, about.
        seconds: CPU time; of a call that was ended the limit.
        peak: Memory that it took above what there was before, in bytes.
        error: What it raised, 'ended' if it took too long or its process died; else ''.
    """

    step: str
    family: str
    num_bytes: int
    seconds: float
    peak: int
    error: str = ""


def measure(step: str, family: str, num_bytes: int) -> Call:
    """Calls a step in this process."""
    from benchmarks.hostile_steps import steps

    run = steps()[step]
    text = (FAMILIES | PYTHON_FAMILIES)[family](num_bytes)
    before = _reset_peak()
    start = time.process_time()
    error = ""
    try:
        run(text)
    except Exception as problem:  # noqa: BLE001 - what a step raises is what is asked for
        error = f"{type(problem).__name__}: {problem!s:.200}"
    seconds = time.process_time() - start
    return Call(step, family, num_bytes, seconds, max(0, _peak() - before), error)


def _reset_peak() -> int:
    refs = Path("/proc/self/clear_refs")
    if refs.exists():
        refs.write_text("5")
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found.group(1)) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _serve(pipe: Connection) -> None:
    while (asked := pipe.recv()) is not None:
        pipe.send(measure(*asked))


class Caller:
    """A process that calls steps, and is started again where one does not end."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._step = ""
        self._process: multiprocessing.process.BaseProcess | None = None

    def call(self, step: str, family: str, num_bytes: int, limit: float) -> Call:
        """One call; limit in seconds."""
        if self._process is not None and self._step != step:
            self.end()
        if self._process is None:
            self._pipe, other = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(other,), daemon=True)
            self._process.start()
            other.close()
            self._step = step
            # Loads and compiles.
            self._pipe.send((step, family, 1000))
            self._pipe.recv()
        self._pipe.send((step, family, num_bytes))
        try:
            if self._pipe.poll(limit):
                found: Call = self._pipe.recv()
                return found
        except EOFError:
            pass
        self.end()
        return Call(step, family, num_bytes, limit, 0, "ended")

    def end(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def calls(chosen: Iterable[str], families: re.Pattern[str], sizes: list[int], limit: float) -> Iterator[Call]:
    """Calls of the steps chosen; a family is left at the first size that takes too long."""
    from benchmarks.hostile_steps import PYTHON_STEPS

    caller = Caller()
    for step in chosen:
        for family in PYTHON_FAMILIES if step in PYTHON_STEPS else FAMILIES:
            if not families.search(family):
                continue
            for size in sizes:
                found = caller.call(step, family, size, limit * size / 10**6)
                yield found
                if found.error:
                    break
    caller.end()


def faults(made: list[Call]) -> dict[str, list[str]]:
    """What is wrong with each step and family, by 'step | family'."""
    told: dict[str, list[str]] = {}
    before: dict[tuple[str, str], Call] = {}
    for call in made:
        problems = told.setdefault(f"{call.step} | {call.family}", [])
        megabytes = call.num_bytes / 10**6
        if call.error:
            problems.append(f"{megabytes:g} MB: {call.error} after {call.seconds:.1f} s")
        if call.seconds > SLOW_SECONDS * megabytes:
            problems.append(f"slow: {megabytes:g} MB {call.seconds:.1f} s")
        earlier = before.get((call.step, call.family))
        if earlier and call.seconds > LEAST_SECONDS:
            growth = call.seconds / max(earlier.seconds, 1e-3) * 2 * earlier.num_bytes / call.num_bytes
            if growth > MOST_GROWTH:
                problems.append(f"not linear: {earlier.seconds:.2f} s, then {call.seconds:.2f} s")
        if call.peak > BYTES_PER_BYTE * call.num_bytes + FREE_BYTES:
            problems.append(f"large: {megabytes:g} MB takes {call.peak / 10**6:.0f} MB")
        before[call.step, call.family] = call
    return {name: problems for name, problems in told.items() if problems}


def main(argv: list[str]) -> int:
    """Measures and prints what is wrong; 1 if anything is."""
    parser = argparse.ArgumentParser(prog="benchmarks hostile", description=__doc__)
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1, 2])
    parser.add_argument("--steps", default="", help="regular expression on their names")
    parser.add_argument("--families", default="", help="regular expression on their names")
    parser.add_argument("--limit", type=float, default=10, help="seconds a megabyte")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    from benchmarks.hostile_steps import steps

    chosen = [name for name in steps() if re.search(options.steps, name)]
    sizes = sorted(int(size * 10**6) for size in options.megabytes)
    made = []
    for call in calls(chosen, re.compile(options.families), sizes, options.limit):
        made.append(call)
        for name, problems in faults(made[-2:]).items():
            if name == f"{call.step} | {call.family}":
                sys.stderr.write(f"{name}: {'; '.join(problems)}\n")
    found = faults(made)
    if options.json:
        told = {"machine": describe(), "calls": [asdict(call) for call in made], "faults": found}
        sys.stdout.write(json.dumps(told) + "\n")
        return int(bool(found))
    sys.stdout.write(f"{describe()}\n{len(made):,} calls, {len(found):,} with a fault\n")
    for name, problems in found.items():
        sys.stdout.write(f"{name}: {'; '.join(problems)}\n")
    slowest: dict[str, Call] = {}
    for call in made:
        rate = call.seconds / call.num_bytes
        if call.step not in slowest or rate > slowest[call.step].seconds / slowest[call.step].num_bytes:
            slowest[call.step] = call
    sys.stdout.write("\nslowest family of each step: ns a byte, peak bytes a byte\n")
    for name, call in slowest.items():
        rate, peak = 1e9 * call.seconds / call.num_bytes, call.peak / call.num_bytes
        sys.stdout.write(f"{name:48} {rate:10.0f} {peak:8.0f}  {call.family}\n")
    return int(bool(found))
