"""The folder of a bundle for Databricks."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from pipelines.bundle.databricks.clusters import WHEELS
from pipelines.bundle.databricks.job import JOB_FILE, RUN_FILE, TRAIN, bundle, job
from pipelines.bundle.databricks.options import DatabricksOptions
from pipelines.bundle.databricks.rules import check
from pipelines.bundle.databricks.wheels import write_volume
from pipelines.bundle.documents import write_yaml
from pipelines.bundle.stages import read_work
from pipelines.errors import EnvironmentProblem

_PROGRAM_TEXT = '''"""What a task of the job runs: a stage of ringlake."""

import ringlake  # noqa: F401 - it claims the names of the packages

from pipelines.bundle.databricks.task import main

if __name__ == "__main__":
    main()
'''


def build_databricks(folder: Path, options: DatabricksOptions, say: Callable[[str], None]) -> None:
    """Write the bundle; files of an earlier one are replaced.

    Args:
        folder: Where to.
        options: What is asked for.
        say: Takes a line of progress.

    Raises:
        ConfigError: The run file, an option, a wheel or the bundle itself is not as it has to be.
        EnvironmentProblem: The folder cannot be written.
    """
    ranks = f"train.num_ranks={options.num_ranks()}"
    work = read_work(options.run, [ranks, *options.set])
    made, resources = bundle(options), job(options, work.stages)
    check(made, resources)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_volume(folder / "volume", options.wheels, say)
        write_yaml(folder / "databricks.yml", made)
        write_yaml(folder / JOB_FILE, resources)
        (folder / RUN_FILE).write_text(work.text, encoding="utf-8")
        (folder / "src").mkdir(exist_ok=True)
        (folder / "src" / "task.py").write_text(_PROGRAM_TEXT, encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"the bundle cannot be written to {folder} ({error.strerror or error}); give another --out"
        ) from error
    wheels = len(list((folder / "volume" / WHEELS).glob("*.whl")))
    trained = f", {options.num_ranks()} ranks" if TRAIN in work.stages else ""
    say(f"bundle: {folder} has databricks.yml, a job of {len(work.stages)} tasks{trained}, {wheels} wheels")


def commands(folder: Path, options: DatabricksOptions) -> list[str]:
    """What to type next, a line each."""
    place = f"/Volumes/{options.catalog}/{options.schema}/{options.volume}/ringlake"
    lake = "" if options.lake else " --var lake=s3://BUCKET/lake"
    return [
        f"cd {shlex.quote(str(folder))}",
        f"databricks fs cp -r --overwrite volume dbfs:{place}",
        f"databricks bundle validate -t dev{lake}",
        f"databricks bundle deploy -t dev{lake}",
        f"databricks bundle run -t dev{lake} ringlake",
    ]
