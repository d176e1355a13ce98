"""What a run of ringlake uses, by stage: processor time and memory of its processes, temporary files."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipelines.run.memory import family

PARTS = ("jvm", "workers", "driver")
"""Spark itself, its Python workers and training ranks, and the Python that runs the job."""

_STAGE = re.compile(r"^\[\d+/\d+\] (\w+):")


@dataclass
class Usage:
    """What was sampled, by stage.

    Attributes:
        cpu_seconds: By part, of processors; what a process used after the last sample of it is missed.
        peak_bytes: By part the largest memory of a single process that no file backs; "all": of all processes
            together, and once the largest that a file backs, as that of libraries.
        scratch_bytes: Largest sample of the folder for temporary files.
    """

    cpu_seconds: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(_zeros))
    peak_bytes: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(_zeros))
    scratch_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def _zeros() -> dict[str, float]:
    return dict.fromkeys((*PARTS, "all"), 0.0)


def watch(process: subprocess.Popen[str], scratch: Path | None = None, seconds: float = 0.25) -> Usage:
    """Samples a run of ringlake until it ends; its stages are told by its lines, which are passed on.

    Args:
        process: The run; its error stream is a pipe.
        scratch: Folder of temporary files, which is measured too.
        seconds: Between two samples.
    """
    stage = "start"

    def read() -> None:
        nonlocal stage
        assert process.stderr
        for line in process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()
            if match := _STAGE.match(line):
                stage = match[1]

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    usage = Usage()
    seen: dict[tuple[int, float], float] = {}
    while process.poll() is None:
        _sample(psutil.Process(process.pid), usage, stage, seen)
        if scratch is not None:
            usage.scratch_bytes[stage] = max(usage.scratch_bytes[stage], _disk(scratch))
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    reader.join()
    return usage


def part_of(command: Sequence[str], is_root: bool) -> str:
    """Which part a process belongs to."""
    # Not by its name: a child that the JVM has just forked has its memory and the name of a thread.
    if command and Path(command[0]).name.startswith("java"):
        return "jvm"
    return "driver" if is_root or not any("pyspark" in word for word in command) else "workers"


def _sample(root: psutil.Process, usage: Usage, stage: str, seen: dict[tuple[int, float], float]) -> None:
    memory, mapped = _zeros(), 0
    for process in family(root):
        try:
            with process.oneshot():
                part = part_of(process.cmdline(), process.pid == root.pid)
                times, info = process.cpu_times(), process.memory_info()
                key = (process.pid, process.create_time())
        except psutil.Error:
            continue
        spent = times.user + times.system
        usage.cpu_seconds[stage][part] += spent - seen.get(key, 0.0)
        seen[key] = spent
        # Pages that a file backs, of libraries most of all, are the same ones in all workers.
        shared = int(getattr(info, "shared", 0))
        own = info.rss - shared
        mapped = max(mapped, shared)
        memory["all"] += own
        memory[part] = max(memory[part], own)
    memory["all"] += mapped
    for name, value in memory.items():
        usage.peak_bytes[stage][name] = max(usage.peak_bytes[stage][name], value)


def _disk(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.lstat().st_blocks * 512
        except OSError:
            continue  # it has just been removed
    return total
