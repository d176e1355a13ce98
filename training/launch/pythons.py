"""Whether the Python of Spark's tasks is that of the driver: the same ringlake, torch and Horovod.

Spark starts on its executors whatever PYSPARK_PYTHON names, or the first `python3` that it finds. Without a
look at it the first task ends in a traceback about a module that is missing there. The look needs none of our
modules on the other side: it is one function of the standard library that travels by value.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.launch.spark_job import SparkJob

Facts = Mapping[str, Any]

OWN_PACKAGES = ("conf", "ringlake", "schemas", "training")
"""Packages of ringlake that a rank imports; they come together."""

RANK_MODULES = ("cloudpickle", "horovod", "psutil", "torch")
"""What a rank imports besides."""

_COMPARED = ("torch", "horovod", "ringlake")

_NOT_STARTED = re.compile(
    r"PYTHON_VERSION_MISMATCH\]? *(?P<versions>[^\n]+)"
    r"|(?P<program>Cannot run program [^\n]+)"
    r"|Error from python worker:\n(?P<output>.*?)\n *PYTHONPATH was:"
    r"|(?P<silence>[^\n:]*(?:reading the port number from|[Bb]ad data in) pyspark\.daemon[^\n]*)"
    r"|(?P<module>[^\n]*No module named '?pyspark[^\n]*)",
    re.DOTALL,
)
"""What Spark says of a program that cannot even become a Python worker (PythonWorkerFactory, worker.py)."""


@dataclass
class _Looked:
    """Where the Python of an application was found to be right.

    Attributes:
        hosts: Hosts of Spark's processes at that time, as Spark calls them.
        num_tasks: Tasks of the widest look.
    """

    hosts: frozenset[str] = frozenset()
    num_tasks: int = 0

    def covers(self, hosts: frozenset[str], num_tasks: int) -> bool:
        """Whether a look by that many tasks would find nothing new.

        All executors of a host start the same program, so one that is replaced there is known already.
        """
        return hosts <= self.hosts and (len(hosts) == 1 or num_tasks <= self.num_tasks)


_looked: dict[tuple[str, ...], _Looked] = {}
"""By application, program, and what was looked for."""


def find_unfit_python(
    spark: Any,
    num_tasks: int,
    *,
    own: Sequence[str] = OWN_PACKAGES,
    modules: Sequence[str] = RANK_MODULES,
    distributions: Sequence[str] = (),
    barrier: bool = False,
) -> str | None:
    """What is wrong with the Python of the tasks, and the remedy; None if it is as the driver's.

    It runs a short Spark job, once a session; again only for a host that has joined since, and on several
    hosts for more tasks than before.

    Args:
        spark: The session.
        num_tasks: Number of tasks that look.
        own: Packages of ringlake whose sources must be equal.
        modules: Other modules that must be there, if the driver has them.
        distributions: Distributions that must be there in the driver's version.
        barrier: Whether the tasks are to run at the same time, as ranks do: on each slot one.

    Raises:
        Exception: Spark's, if the job failed for another reason.
    """
    context = spark.sparkContext
    key = (str(context.applicationId), str(context.pythonExec), *own, *modules, "", *distributions)
    looked = _looked.setdefault(key, _Looked())
    hosts = _hosts(context)
    if looked.covers(hosts, num_tasks):
        return None
    look = make_probe(tuple(own), tuple(modules), (*_COMPARED, *distributions))

    def action(context: Any) -> list[Facts]:
        rows = context.parallelize(range(num_tasks), num_tasks)
        return list((rows.barrier() if barrier else rows).mapPartitions(look).collect())

    job = SparkJob(spark, action, "the Python of the tasks")
    try:
        while not job.wait(1.0):
            pass
    except BaseException:
        job.finish(0.0)
        raise
    driver = next(look(()))
    if job.error is None:
        complaint = compare(driver, job.result, distributions)
    else:
        reason = why_not_started(str(job.error))
        if reason is None:
            raise job.error
        complaint = f"Spark cannot run tasks of Python: {reason}"
    if complaint is None:
        _looked[key] = _Looked(looked.hosts | hosts, max(looked.num_tasks, num_tasks))
        return None
    return f"{complaint}; {_remedy(driver, str(context.pythonExec))}"


def why_not_started(text: str) -> str | None:
    """The line in Spark's words on a failed task that says why no Python worker came up; None: one did."""
    found = _NOT_STARTED.search(text)
    if found is None:
        return None
    # Of a traceback the last line tells the error.
    lines = [line.strip() for line in str(found[found.lastgroup or 0]).splitlines() if line.strip()]
    return lines[-1] if lines else "the program ended at once"


def _hosts(context: Any) -> frozenset[str]:
    """Hosts of the driver and the executors."""
    status = context._jsc.sc().getExecutorMemoryStatus()
    places = str(status.keySet().mkString("\n")).splitlines()
    return frozenset(place.rpartition(":")[0] for place in places)


def make_probe(
    own: tuple[str, ...], modules: tuple[str, ...], distributions: tuple[str, ...]
) -> Callable[[Iterable[Any]], Iterator[Facts]]:
    """The function that looks around in a Python. It imports nothing of ours, and travels by value.

    Its facts: `host`, `executable`, `python`, the `missing` modules, hashes of the Python `sources` of the
    own packages, and the `versions` of distributions, None where there is none.
    """

    def probe(_rows: Iterable[Any]) -> Iterator[Facts]:
        import hashlib
        import importlib.util
        import os
        import socket
        import sys
        import zipfile
        from importlib import metadata

        def files(origin: str, package: str) -> Iterator[tuple[str, bytes]]:
            folder = os.path.dirname(origin)  # noqa: PTH120 - a path within a zip is no path
            if os.path.isdir(folder):  # noqa: PTH112
                for place, _, names in os.walk(folder):
                    for name in names:
                        path = os.path.join(place, name)  # noqa: PTH118
                        if name.endswith(".py"):
                            with open(path, "rb") as file:  # noqa: PTH123
                                yield os.path.relpath(path, folder).replace(os.sep, "/"), file.read()
            else:
                start = folder.lower().index(".zip") + len(".zip")
                inside = folder[start:].strip("/") + "/"
                with zipfile.ZipFile(folder[:start]) as archive:
                    for name in archive.namelist():
                        if name.startswith(inside) and name.endswith(".py"):
                            yield name[len(inside) :], archive.read(name)

        missing: list[str] = []
        sources: dict[str, str | None] = {}
        for package in own:
            spec = importlib.util.find_spec(package)
            if spec is None or not spec.origin:
                missing.append(package)
                continue
            digest = hashlib.sha256()
            try:
                for name, content in sorted(files(spec.origin, package)):
                    digest.update(name.encode() + b"\0" + content + b"\0")
                sources[package] = digest.hexdigest()
            except (OSError, ValueError, zipfile.BadZipFile):
                # Imported from a place that cannot be listed: it is there, and that is all that is known.
                sources[package] = None
        missing += [name for name in modules if importlib.util.find_spec(name) is None]
        versions: dict[str, str | None] = {}
        for name in distributions:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = None
        yield {
            "host": socket.gethostname(),
            "executable": sys.executable,
            "python": ".".join(map(str, sys.version_info[:3])),
            "missing": missing,
            "sources": sources,
            "versions": versions,
        }

    return probe


def compare(driver: Facts, tasks: Sequence[Facts], needed: Sequence[str] = ()) -> str | None:
    """The first difference that matters between the driver's Python and that of a task; None: there is none.

    A distribution that is needed is missed where it is not there; of others versions are compared, without
    their local parts: a driver without GPUs may have torch 2.6.0+cpu. Nor does a driver without torch count;
    then the tasks are compared with each other.
    """
    for task in tasks:
        where = f"{task['executable']} (Python {task['python']}), which runs Spark's tasks on {task['host']},"
        lacking = [name for name in task["missing"] if name not in driver["missing"]]
        if lacking:
            return f"{where} has no module {', '.join(lacking)}, which the driver has"
        if _minor(task["python"]) != _minor(driver["python"]):
            return f"{where} is another version than the driver's, {driver['python']}"
        for name, version in task["versions"].items():
            if version is None and name in needed:
                return (
                    f"{where} has no distribution {name}, of which the driver has {driver['versions'][name]}"
                )
            for other, whose in ((driver, "the driver"), (tasks[0], f"host {tasks[0]['host']}")):
                expected = other["versions"][name]
                if version and expected and _public(version) != _public(expected):
                    return f"{where} has {name} {version}, but {whose} has {expected}"
        for name, digest in task["sources"].items():
            expected = driver["sources"].get(name)
            if digest and expected and digest != expected:
                return f"{where} has other sources of ringlake than the driver: package {name} differs"
    return None


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _public(version: str) -> str:
    return version.partition("+")[0]


def _remedy(driver: Facts, executable: str) -> str:
    named = os.environ.get("PYSPARK_PYTHON")
    why = f"PYSPARK_PYTHON is {named}" if named else "PYSPARK_PYTHON is not set"
    return (
        f"Spark starts {executable!r} there, for {why}, and the driver runs {sys.executable} "
        f"(Python {driver['python']}). Set PYSPARK_PYTHON={sys.executable} before the SparkSession is made "
        f"(with spark-submit: --conf spark.pyspark.python=...), a Python with this ringlake; for "
        f"other hosts `ringlake bundle` packs one"
    )
