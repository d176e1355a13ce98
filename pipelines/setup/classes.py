"""Spark's classes, loaded once and archived: a driver that starts then maps them instead of loading each.

The JVM calls it class data sharing (JEP 350). A run of seconds was a quarter shorter with it: the start of
Spark, and each first use of a part of Delta or of SQL. The JVM looks at the archive itself, and goes without
where Java or Spark's jars are others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from pipelines.setup import cache
from pipelines.setup.errors import SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target, running_target

KIND = "classes"
ARCHIVE = "spark.jsa"
RECIPE = 1

_TO_THE_END = (
    "import subprocess, sys\n"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\n"
    "sys.stdout.buffer.write(done.stdout)\n"
    "sys.exit(done.returncode)"
)
"""Waits until the JVM is gone, too, which writes the archive when it ends; the pipe is open until then."""


def locate(target: Target | None = None) -> Path | None:
    """The archive that fits this environment and its Java, or None; looks at presence and size."""
    target = target or running_target()
    name = entry(target)
    found = None if name is None else cache.find(_roots(target), KIND, name)
    return None if found is None else found.path / ARCHIVE


def options(target: Target | None = None) -> str:
    """What a JVM on this machine is given to use the archive; empty where there is none."""
    archive = locate(target)
    # The options of a JVM are parted by blanks.
    if archive is None or " " in str(archive):
        return ""
    return f"-XX:SharedArchiveFile={archive} -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off"


def entry(target: Target) -> str | None:
    """Name of the cache entry that fits this environment and its Java; None: one of them is not known."""
    java, spark = _java_release(), target.version("pyspark")
    home = target.locate("pyspark", "pyspark/jars")
    if java is None or spark is None or home is None:
        return None
    inputs = {"java": java, "spark": spark, "jars": str(home), "recipe": str(RECIPE)}
    return cache.entry_name(f"spark-{spark}", inputs)


def ensure(target: Target, logs: Path, progress: Progress) -> None:
    """Makes the archive unless it is there. Without one all works, only slower: a failure is told alone.

    A small corpus, the documentation of ringlake itself, goes through the stages before training meanwhile.

    Args:
        target: The environment whose Spark it is.
        logs: Directory for what that run says.
        progress: Where to say what happens.
    """
    name = entry(target)
    if name is None:
        progress.line("Java has no file 'release', so there is no archive of Spark's classes; all else works")
        return

    def build(out: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="ringlake-classes-") as scratch:
            progress.run(
                [str(target.python), "-c", _TO_THE_END, *_small_run(target, Path(scratch), out / ARCHIVE)],
                label="archiving Spark's classes",
                log=logs / "classes.log",
                cwd=Path(scratch),
                telling="^ *\\[",
            )
        if not (out / ARCHIVE).is_file():
            raise SetupError(f"Java wrote no archive (log: {logs / 'classes.log'})")

    try:
        made = cache.obtain(_roots(target), KIND, name, build, progress)
    except SetupError as error:
        progress.line(f"Spark's classes are not archived, all else works: {error}")
        return
    progress.line(f"Spark's classes are archived: {(made.path / ARCHIVE).stat().st_size / 1e6:.0f} MB")


def _small_run(target: Target, scratch: Path, archive: Path) -> list[str]:
    values = {
        "lake": scratch / "lake",
        "ingest.inputs": f"[{Path(__file__).resolve().parents[1]}]",
        "ingest.format": "python-docs",
        "tokenize.vocab_size": 512,
        "spark.master": "local[2]",
        "spark.conf.spark.driver.extraJavaOptions": f"-XX:ArchiveClassesAtExit={archive} -Xlog:cds=off",
    }
    sets = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    run_file = scratch / "run.yaml"
    run_file.write_text("name: classes\n")
    command = [str(target.python), "-m", "pipelines.cli.main", "run", str(run_file)]
    return [*command, "--until", "pack", *sets]


def _roots(target: Target) -> tuple[Path]:
    """The environment alone: an archive names Spark's jars by their paths, and is of no use to another."""
    return (target.prefix / cache.FALLBACK,)


def _java_release() -> str | None:
    """What the Java that Spark would start says of itself, with where it lies."""
    home = os.environ.get("JAVA_HOME")
    if home:
        place = Path(home)
    else:
        java = shutil.which("java")
        if java is None:
            return None
        place = Path(java).resolve().parents[1]
    try:
        return f"{place.resolve()}\n{(place / 'release').read_text()}"
    except (OSError, UnicodeDecodeError):
        return None
