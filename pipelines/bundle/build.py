"""The folder that holds all that a submission ships, and the commands that ship it."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import sysconfig
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from pipelines.bundle.code import write_code
from pipelines.bundle.environment import write_environment
from pipelines.errors import EnvironmentProblem
from pipelines.setup.jars import MissingJarsError, locate
from ringlake.base.code import release

MAIN = "main.py"
JARS = "jars"
STAMP = "environment.json"

_MAIN_TEXT = '''"""What spark-submit starts: the command `ringlake`, with this program's arguments."""

from ringlake.__main__ import main

if __name__ == "__main__":
    main()
'''


def build_bundle(
    folder: Path, say: Callable[[str], None], *, environment: bool = True, compress: bool = True
) -> dict[str, str]:
    """Make the folder; what is there and still right stays.

    Args:
        folder: Where to.
        say: Takes a line of progress.
        environment: Also pack the Python environment, which takes minutes.
        compress: See `write_environment`.

    Returns:
        Paths by kind: 'main', 'code', 'jars' (separated by commas) and, if packed, 'environment'.

    Raises:
        EnvironmentProblem: Delta's jars are not there, or the folder cannot be written.
    """
    try:
        jars = locate()
    except MissingJarsError as error:
        raise EnvironmentProblem(str(error)) from error
    try:
        (folder / JARS).mkdir(parents=True, exist_ok=True)
        code = folder / f"ringlake-{release()}.zip"
        write_code(code)
        (folder / MAIN).write_text(_MAIN_TEXT, encoding="utf-8")
        for jar in jars:
            shutil.copyfile(jar, folder / JARS / jar.name)
        made = {
            "main": str(folder / MAIN),
            "code": str(code),
            "jars": ",".join(str(folder / JARS / jar.name) for jar in jars),
        }
        if environment:
            made["environment"] = str(_environment(folder, say, compress))
    except OSError as error:
        raise EnvironmentProblem(
            f"the bundle cannot be written to {folder} ({error.strerror or error}); give another --out"
        ) from error
    say(f"bundle: {folder} has " + ", ".join(Path(path.split(",")[0]).name for path in made.values()))
    return made


def _environment(folder: Path, say: Callable[[str], None], compress: bool) -> Path:
    """The archive; packed again only if a package or the interpreter changed."""
    target = folder / ("environment.tar.gz" if compress else "environment.tar")
    stamp, wanted = folder / STAMP, json.dumps({"archive": target.name, "packages": _fingerprint()})
    if target.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        say(f"environment: {target} is up to date")
        return target
    stamp.unlink(missing_ok=True)
    write_environment(target, say, compress)
    stamp.write_text(wanted, encoding="utf-8")
    return target


def _fingerprint() -> str:
    names = sorted(f"{found.name}=={found.version}" for found in metadata.distributions())
    return hashlib.sha256("\n".join([sys.version, sys.prefix, *names]).encode()).hexdigest()


def submit_command(made: dict[str, str], *, deploy_mode: str, arguments: str) -> str:
    """The `spark-submit` command for YARN that ships a bundle, one option a line."""
    lines = [
        f"spark-submit --master yarn --deploy-mode {deploy_mode}",
        "--num-executors 2 --executor-cores 2 --executor-memory 4g",
        "--conf spark.dynamicAllocation.enabled=false",
    ]
    if "environment" in made:
        python = "./environment/bin/python"
        lines += [
            f"--archives {made['environment']}#environment",
            f"--conf spark.pyspark.python={python}",
        ]
        if sysconfig.get_config_var("Py_ENABLE_SHARED"):
            # The interpreter looks for its own library where it was built, unless told.
            places = ["executorEnv", *(["yarn.appMasterEnv"] if deploy_mode == "cluster" else [])]
            lines += [f"--conf spark.{place}.LD_LIBRARY_PATH=./environment/lib" for place in places]
        if deploy_mode == "cluster":
            lines.append(f"--conf spark.yarn.appMasterEnv.PYSPARK_PYTHON={python}")
    lines += [f"--jars {made['jars']}", f"--py-files {made['code']}", f"{made['main']} {arguments}"]
    return " \\\n  ".join(lines)
