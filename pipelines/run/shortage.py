"""Tells that a process ran out of memory, disk, threads or open files, and which setting gives it more.

Sources of the words: the messages of the JVM (`java.lang.OutOfMemoryError`), of Spark 4 (`TaskSetManager`,
`YarnAllocator`, `BasePythonRunner`), of CPython, pyarrow, numpy, torch and of the kernel's errno.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_LOG_BYTES = 1 << 20
"""How much of the end of Spark's log is searched: the JVM's last words."""

MAX_TEXT = 4 << 20
"""How much of an error's text is searched."""

LITTLE_ROOM = 16 << 20
"""A disk with fewer free bytes is called full: what failed has been removed, so that some are free again."""


@dataclass(frozen=True)
class SparkFacts:
    """What is known of the processes of a Spark session, noted when it is opened, before one of them dies.

    Attributes:
        master: Where it runs.
        driver_memory: Heap of the driver's JVM, as Spark has it.
        executor_memory: Heap of an executor.
        worker_bytes: Address space that a Python worker may have; 0: no limit is set.
        local_dir: Where Spark puts shuffle files.
        log: Spark's log of a local run; empty where Spark logs by its own rules.
    """

    master: str = ""
    driver_memory: str = "1g"
    executor_memory: str = "1g"
    worker_bytes: int = 0
    local_dir: str = ""
    log: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the driver's JVM runs the tasks itself."""
        return self.master.startswith("local") and not self.master.startswith("local-cluster")


_HEAP = re.compile(
    r"OutOfMemoryError(?::? (?P<what>Java heap space|GC overhead limit exceeded"
    r"|Requested array size exceeds VM limit))|SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY"
)
_METASPACE = re.compile(r"OutOfMemoryError:? (?:Metaspace|Compressed class space)")
_DIRECT = re.compile(
    r"OutOfMemoryError:? (?:Direct buffer memory|Cannot reserve \d+ bytes of direct)|OutOfDirectMemoryError"
)
_THREADS = re.compile(r"unable to create (?:new )?native thread|can't start new thread")
_OTHER_HEAP = re.compile(r"java\.lang\.OutOfMemoryError")
_EXECUTOR = re.compile(
    r"exceeding (?:physical |virtual |memory )?(?:memory )?limits"
    r"|exit(?:ed with)? (?:code|status):? ?(?:137|52)\b"
    r"|Exit (?:code|status):? ?(?:137|143|52)\b|OOMKilled"
)
_WORKER_GONE = re.compile(r"Python worker exited unexpectedly|Python worker process terminated")
_NATIVE_FAULT = re.compile(r"Fatal Python error: (?!.*[Mm]emory)")
_PYTHON_MEMORY = re.compile(
    r"\bMemoryError\b|ArrowMemoryError|ArrayMemoryError|Cannot allocate memory|malloc of size \d+ failed"
    r"|realloc of size \d+ failed|std::bad_alloc|DefaultCPUAllocator: (?:can't|not enough)"
)
_MEMORY_WORDS = re.compile(r"\bMemoryError: +(while .{1,400})")
"""What ringlake itself says of the place where Python ran out of memory."""

_GPU_MEMORY = re.compile(r"CUDA out of memory|CUDA error: out of memory|torch\.OutOfMemoryError")
DISK_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|os error 28\b|os error 122\b|StorageFull"
)
"""What a full disk is called by Python, the JVM and Rust."""

_FILES = re.compile(r"Too many open files|os error 24\b")
_CONNECTION = re.compile(
    r"ConnectionRefusedError|ConnectionResetError|BrokenPipeError|Py4JNetworkError|Py4JError"
    r"|Connection refused|Connection reset|Broken pipe|Answer from Java side is empty|while calling"
    r"|Error while (?:sending|receiving|obtaining)|EOFError"
)

_AGAIN = "The same command then goes on"

_EXIT_ON_MEMORY = 3
"""Exit status of a JVM that -XX:+ExitOnOutOfMemoryError ended. It says why on standard error alone."""


def shortage(
    stage: str, error: BaseException, text: str, spark: SparkFacts, jvm_status: int | None
) -> str | None:
    """One line that says what ran out, in which process of which stage, and what gives more; else None.

    Args:
        stage: Name of the stage.
        error: What it failed with.
        text: All that error and its causes say.
        spark: The session's facts.
        jvm_status: Exit status of the driver's JVM, None while it lives.
    """
    text = text[:MAX_TEXT]
    last_words = _end_of(spark.log) if jvm_status is not None or _CONNECTION.search(text) else ""
    found = _disk_or_files(error, text, spark)
    if found is None and jvm_status is not None:
        found = _of_jvm(text + "\n" + last_words, spark) or _dead_jvm(spark, jvm_status)
    found = found or _of_jvm(text, spark) or _of_python(text, spark)
    if found is None and _CONNECTION.search(text):
        # The JVM no longer answers, but its process still dies.
        found = _of_jvm(last_words, spark)
    if found is None:
        return None
    log = f" Log: {spark.log}." if spark.log else ""
    return f"{stage}: {found}.{log} {_AGAIN}"


def _disk_or_files(error: BaseException, text: str, spark: SparkFacts) -> str | None:
    number = getattr(error, "errno", None)
    match = DISK_FULL.search(text)
    what = os.strerror(number) if number in (errno.ENOSPC, errno.EDQUOT) else match and match[0]
    if what:
        where = _place_in(error, text) or _full_places(spark)
        return (
            f"a disk is full ({what}{where}); make room there, or put the lake (lake) "
            "or Spark's shuffle files (spark.conf.spark.local.dir) and temporary ones (TMPDIR) elsewhere"
        )
    if number in (errno.EMFILE, errno.ENFILE) or _FILES.search(text):
        return (
            f"a process ran out of file descriptors (Too many open files; {_limit('RLIMIT_NOFILE')} may be "
            "open at once); raise the limit (ulimit -n), or lower spark.shuffle_partitions"
        )
    return None


def _place_in(error: BaseException, text: str) -> str:
    name = getattr(error, "filename", None)
    if isinstance(name, str) and name:
        return f": {name}"
    line = next((line for line in text.splitlines() if DISK_FULL.search(line)), "")
    match = re.search(r"(?:file:)?(/[^\s'\":;,()]+)", line)
    return f": {match[1]}" if match else ""


def _full_places(spark: SparkFacts) -> str:
    """Of the folders that a run writes to those that have no room, for an error that names none."""
    own = [str(Path(spark.log).parent)] if spark.log else []
    full = []
    for place in dict.fromkeys([*own, *filter(None, spark.local_dir.split(",")), tempfile.gettempdir()]):
        with suppress(OSError):
            if shutil.disk_usage(place).free < LITTLE_ROOM:
                full.append(place)
    return f": {', '.join(full)}" if full else ""


def _of_jvm(text: str, spark: SparkFacts) -> str | None:
    is_executor = not spark.is_local and _EXECUTOR.search(text) is not None
    if is_executor:
        return (
            f"an executor was killed for its memory (it had a heap of {spark.executor_memory}); raise "
            f"spark.conf.spark.executor.memoryOverhead or spark.conf.spark.executor.memory"
        )
    whose, memory, key = "the JVM of Spark's driver", spark.driver_memory, "spark.driver_memory"
    in_executor = not spark.is_local and re.search(r"in stage \d+.*executor (?!driver)\S+", text)
    if in_executor:
        whose, memory, key = (
            "the JVM of an executor",
            spark.executor_memory,
            "spark.conf.spark.executor.memory",
        )
    options = f"spark.conf.spark.{'executor' if in_executor else 'driver'}.extraJavaOptions"
    if match := _HEAP.search(text):
        what = match["what"] or "Spark could not get execution memory"
        return f"{whose} ran out of memory ({what}; it had a heap of {memory}); raise {key}"
    if _METASPACE.search(text):
        return f"{whose} ran out of memory (Metaspace); raise -XX:MaxMetaspaceSize in {options}"
    if _DIRECT.search(text):
        return (
            f"{whose} ran out of memory (direct buffers; it had as much as its heap, {memory}); raise {key}, "
            f"or -XX:MaxDirectMemorySize in {options}"
        )
    if _THREADS.search(text):
        return (
            f"{whose} could not start a thread ({_limit('RLIMIT_NPROC')} processes and threads are allowed); "
            "raise the limit (ulimit -u, or the container's), or use fewer slots: spark.master=local[N]"
        )
    if match := _OTHER_HEAP.search(text):
        return f"{whose} ran out of memory (it had a heap of {memory}); raise {key}"
    return None


def _dead_jvm(spark: SparkFacts, status: int) -> str:
    if status == _EXIT_ON_MEMORY:
        return (
            f"the JVM of Spark's driver ran out of memory (it had a heap of {spark.driver_memory}); raise "
            "spark.driver_memory"
        )
    how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
    return (
        f"the JVM of Spark's driver ended {how} and without a word, as under the kernel's out-of-memory "
        f"killer (it had a heap of {spark.driver_memory}, the machine {_machine_memory()}); free memory, "
        "lower spark.driver_memory, or use fewer slots: spark.master=local[N]"
    )


def _of_python(text: str, spark: SparkFacts) -> str | None:
    slots = (
        "use fewer slots (spark.master=local[N]), or lower spark.driver_memory"
        if spark.is_local
        else "raise spark.conf.spark.executor.memoryOverhead, or use fewer cores an executor"
    )
    if _GPU_MEMORY.search(text):
        return "a rank ran out of the GPU's memory; lower train.micro_batch_size (evaluate.batch_size)"
    if _PYTHON_MEMORY.search(text):
        return _python_memory(text, spark, slots)
    if _WORKER_GONE.search(text) and not _NATIVE_FAULT.search(text):
        return (
            "a Python worker was killed or crashed, most likely by the kernel's out-of-memory killer (the "
            f"machine has {_machine_memory()}); free memory, {slots}"
        )
    return None


def _python_memory(text: str, spark: SparkFacts, slots: str) -> str:
    in_worker = "PythonException" in text or "worker.py" in text
    where = "a Python worker" if in_worker else "a Python process"
    had = f"the machine has {_machine_memory()}"
    remedy = f"free memory, {slots}"
    if re.search(r"\brank \d+ of \d+", text):
        where, remedy = "a rank", f"free memory, lower train.micro_batch_size, or {slots}"
    elif in_worker and spark.worker_bytes:
        had = f"it may have {spark.worker_bytes / 2**20:,.0f} MiB of address space; {had}"
        remedy = f"raise spark.worker_memory, or {slots}"
    said = _MEMORY_WORDS.search(text)
    what = f"{said[1].strip().rstrip(':')}; " if said else ""
    return f"{where} ran out of memory ({what}{had}); {remedy}"


def _machine_memory() -> str:
    import psutil

    from pipelines.sizing import machine_memory

    total = machine_memory()
    free = min(total, psutil.virtual_memory().available)
    return f"{total / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB of it free now"


def _limit(name: str) -> str:
    import resource

    soft, _ = resource.getrlimit(getattr(resource, name))
    return "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,}"


def _end_of(log: str) -> str:
    try:
        with Path(log).open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - MAX_LOG_BYTES))
            return stream.read().decode(errors="replace")
    except (OSError, ValueError):
        return ""
