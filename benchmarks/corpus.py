"""What the corpus benchmarks share: the same text for all, cores to pin to, and the run of one stage.

The text is the documentation of this Python installation, as `ringlake ingest --format python-docs` reads it:
nothing is downloaded. Files are drawn in the order of a hash of their names, so the same installation gives
the same sample.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import peers
from benchmarks.readers import MARK
from conf.ingest import IngestConfig
from conf.spark import SparkConfig
from schemas.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.stage_output import StageOutput

ROOT = Path(__file__).resolve().parents[1]

ENVIRONMENT = "corpus"
"""The peers' environment of all corpus benchmarks."""

_WORD = re.compile(r"\w+")
_REPLACED = 0.3

_SOURCE_BYTES_PER_TEXT_BYTE = 8
"""An installation has about 7 bytes of Python files for one of documentation; more are read than needed."""


@dataclass(frozen=True)
class Cost:
    """What some work took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: User and system time of this process and all that it started.
    """

    seconds: float
    cpu_seconds: float

    def rates(self, num_bytes: int) -> dict[str, float]:
        """MB (10^6 bytes) a second of the clock and of processors."""
        return {
            "mb_per_second": num_bytes / 1e6 / self.seconds,
            "mb_per_cpu_second": num_bytes / 1e6 / max(self.cpu_seconds, 1e-9),
        }


def texts(folder: Path, megabytes: float) -> list[str]:
    """Documents of the Python installation, in a fixed order, until they have so many megabytes.

    Args:
        folder: Where they are kept as texts.json; they are read from there if the file is there.
        megabytes: Most 10^6 bytes of UTF-8; fewer if the installation has no more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"texts-{megabytes:g}.json"
    if not kept.is_file():
        found = _read_installation(megabytes)
        kept.write_text(json.dumps(found), encoding="utf-8")
    loaded: list[str] = json.loads(kept.read_text(encoding="utf-8"))
    return loaded


def copies(documents: Sequence[str], number: int) -> Iterator[list[str]]:
    """The documents, then copies of all in which three of ten words are replaced: no near-duplicates.

    Args:
        documents: What is copied.
        number: How many lists there are, that of the documents as they are among them.
    """
    vocabulary = sorted({word for text in documents[:2000] for word in _WORD.findall(text)})
    yield list(documents)
    for copy in range(1, number):
        yield [_replaced(text, vocabulary, copy) for text in documents]


def _replaced(text: str, vocabulary: Sequence[str], copy: int) -> str:
    """A copy of a text; it follows from the text and the number of the copy."""
    draw = random.Random(f"{copy} {text}")

    def word(match: re.Match[str]) -> str:
        return draw.choice(vocabulary) if draw.random() < _REPLACED else match.group()

    return _WORD.sub(word, text)


def num_bytes(documents: Iterable[str]) -> int:
    """Bytes of UTF-8."""
    return sum(len(text.encode()) for text in documents)


def write_lines(path: Path, documents: Sequence[str]) -> Path:
    """The documents as JSON lines with `id` (the position) and `text`, which every peer reads."""
    with path.open("w", encoding="utf-8") as out:
        for number, text in enumerate(documents):
            out.write(json.dumps({"id": str(number), "text": text}) + "\n")
    return path


def filled(table: Table, documents: Sequence[str]) -> pa.Table:
    """Rows of a table that holds texts; doc_id is the position as 32 digits, what is not known is empty."""
    columns = {
        "doc_id": pa.array([f"{number:032d}" for number in range(len(documents))]),
        "text": pa.array(documents, pa.string()),
        "num_bytes": pa.array([len(text.encode()) for text in documents], pa.int64()),
    }
    for column in table.columns:
        if column.name not in columns:
            value = None if column.nullable else _empty(column.type)
            columns[column.name] = pa.array([value] * len(documents), column.type)
    schema = table.arrow_schema()
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def frame(spark: SparkSession, table: Table, folder: Path) -> DataFrame:
    """The Parquet files that `write_parts` left, as Spark reads a table."""
    return spark.read.schema(table.spark_schema()).parquet(str(folder))


def write_parts(folder: Path, table: Table, documents: Sequence[str], parts: int = 4) -> Path:
    """The rows of `filled` in some Parquet files, so that several tasks can read them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = filled(table, documents)
    size = -(-len(documents) // parts)
    for number in range(parts):
        pq.write_table(rows.slice(number * size, size), folder / f"part-{number:03d}.parquet")
    return folder


def open_spark(cores: int, name: str) -> SparkSession:
    """A session as a local run has it."""
    from pipelines.session import open_session

    config = SparkConfig(master=f"local[{cores}]", driver_memory="2g")
    # Without a log of its own, Spark writes its warnings between the lines of the benchmark.
    return open_session(config, name, Path(os.devnull))


def run_stage(make: Callable[[], StageOutput]) -> Cost:
    """Compute all tables of a stage as a run does, without writing them (Spark's noop sink)."""
    from pyspark import StorageLevel

    with Clock() as clock:
        output = make()
        for shared in output.shared:
            if not shared.is_cached:
                shared.persist(StorageLevel.DISK_ONLY)
        try:
            for computed in output.tables.values():
                computed.write.format("noop").mode("overwrite").save()
        finally:
            for shared in output.shared:
                shared.unpersist()
    return clock.cost


class Clock:
    """Measures a block, with the processor time of all processes below this one that live to its end."""

    cost: Cost

    def __enter__(self) -> Clock:
        self._before = _cpu_seconds()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_error: object) -> None:
        seconds = time.perf_counter() - self._began
        after = _cpu_seconds()
        spent = sum(total - self._before.get(process, 0.0) for process, total in after.items())
        self.cost = Cost(seconds, spent)


def on_cores(command: Sequence[str], cores: Sequence[int], **variables: str) -> subprocess.Popen[str]:
    """Start a program on some of this machine's cores, and all that it starts; its output is to be read."""

    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"} | variables
    with _pinned(cores):
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


@contextmanager
def _pinned(cores: Sequence[int]) -> Iterator[None]:
    """What is started meanwhile runs on these cores; nothing where the system cannot do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def own(benchmark: str, arguments: Sequence[str], cores: int) -> dict[str, Any]:
    """What a fresh process of a benchmark measures of ringlake on so many cores."""
    command = [sys.executable, "-m", "benchmarks", benchmark, "--worker", str(cores), *arguments]
    return answer(on_cores(command, some_cores(cores)), f"ringlake on {cores} cores")


def of_peer(script: str, arguments: Sequence[str], cores: int) -> dict[str, Any]:
    """What a script of this folder measures in the peers' environment, on so many cores."""
    return answer(_peer(script, arguments, some_cores(cores)), f"{script} {arguments[0]}")


def of_peers(script: str, arguments: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The same with a process and a core for each list of arguments, all at once."""
    cores = some_cores(len(arguments))
    processes = [_peer(script, given, [core]) for given, core in zip(arguments, cores, strict=True)]
    return [
        answer(process, f"{script} {given[0]}") for process, given in zip(processes, arguments, strict=True)
    ]


def _peer(script: str, arguments: Sequence[str], cores: Sequence[int]) -> subprocess.Popen[str]:
    python = peers.python_of(ENVIRONMENT)
    assert python is not None
    return on_cores([str(python), str(Path(__file__).with_name(script)), *arguments], cores)


def some_cores(number: int) -> list[int]:
    """The first of the cores that this process may use.

    Raises:
        SystemExit: There are fewer.
    """
    if not hasattr(os, "sched_getaffinity"):
        return list(range(number))
    usable = sorted(os.sched_getaffinity(0))
    if number > len(usable):
        raise SystemExit(f"this needs {number} cores, but there are {len(usable)}; say --cores {len(usable)}")
    return usable[:number]


def tell(value: Mapping[str, Any]) -> None:
    """Print a measurement for the process that started this one."""
    sys.stdout.write(MARK + json.dumps(value) + "\n")
    sys.stdout.flush()


def answer(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """What a process told.

    Raises:
        RuntimeError: It ended without an answer; its messages are above.
    """
    found: dict[str, Any] | None = None
    assert process.stdout
    for line in process.stdout:
        if line.startswith(MARK):
            found = json.loads(line.removeprefix(MARK))
    code = process.wait()
    if found is None or code:
        raise RuntimeError(f"{name} ended with exit code {code}; its messages are above")
    return found


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns for people: the first to the left, the others to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(head))]
    shown = []
    for line in lines:
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown) + "\n"


def _read_installation(megabytes: float) -> list[str]:
    from pipelines.ingest.discover import discover
    from pipelines.ingest.stage import ingest

    config = IngestConfig(format="python-docs")
    wanted = megabytes * 1e6
    files = []
    size = 0
    for file in sorted(discover(config), key=lambda file: _hash(file.source)):
        if size > wanted * _SOURCE_BYTES_PER_TEXT_BYTE:
            break
        files.append(file)
        size += file.num_bytes
    spark = open_spark(2, "benchmark text")
    try:
        documents = ingest(spark, config, files).tables["documents"].select("doc_id", "text")
        rows = documents.toArrow().sort_by("doc_id")
    finally:
        spark.stop()
    return list(_until(rows["text"].to_pylist(), wanted))


def _until(documents: Iterable[str], wanted: float) -> Iterator[str]:
    total = 0
    for text in documents:
        total += len(text.encode())
        if total > wanted:
            return
        yield text


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _empty(kind: pa.DataType) -> Any:
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        return []
    if pa.types.is_string(kind):
        return ""
    return False if pa.types.is_boolean(kind) else 0


def _cpu_seconds() -> dict[tuple[int, float], float]:
    """User and system time of this process and those below it, by process id and start."""
    me = psutil.Process()
    found = {}
    for process in [me, *me.children(recursive=True)]:
        try:
            times = process.cpu_times()
            found[process.pid, process.create_time()] = times.user + times.system
        except psutil.Error:
            continue
    return found
