"""`python -m tests.runtimes [ARGUMENTS OF PYTEST]`: tests in an environment with the versions of a cluster.

What runs unless something else is asked for: the small main job, the launcher, the notebooks, and what leans
on Petastorm and transformers.
"""

from __future__ import annotations

import os
import subprocess
import sys

from pipelines.setup.errors import SetupError
from pipelines.setup.progress import Progress
from tests.runtimes.environment import PINS, ROOT, changed, make_environment

TESTS = (
    *("tests/run/test_small_job.py", "tests/training/launch/test_launch.py"),
    *("tests/training/launch/test_runner.py", "tests/training/data/test_petastorm_compat.py"),
    *("tests/inference", "tests/notebooks"),
)


def main(arguments: list[str]) -> int:
    """Make the environment, see that it has the runtime's versions, and run the tests in it."""
    progress = Progress()
    try:
        target = make_environment(progress)
    except SetupError as error:
        progress.line(f"the environment of {PINS.stem} cannot be made: {error}")
        return error.exit_code
    if other := changed(target):
        progress.line(f"not the runtime's versions: {other}")
        return 1
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{target.prefix / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    for name in ("VIRTUAL_ENV", "SPARK_HOME", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        env.pop(name, None)
    command = [str(target.python), "-m", "pytest", *(arguments or TESTS)]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
