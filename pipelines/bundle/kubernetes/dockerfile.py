"""The image: Apache's image of Spark, our code, and the Python environment that `ringlake bundle` packs.

Nothing is downloaded but the base image. PREFIX is empty in an image; the steps can be run elsewhere with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

HOME = "/opt/ringlake"


@dataclass(frozen=True)
class Step:
    """An instruction of a Dockerfile.

    Attributes:
        word: FROM, ARG, COPY, ADD, RUN, ENV, USER or WORKDIR.
        values: What follows it: for COPY and ADD sources and a target, for RUN one command of a shell.
    """

    word: str
    values: tuple[str, ...]

    def text(self) -> str:
        """The instruction as a line."""
        if self.word in ("COPY", "ADD"):
            return f"{self.word} --chmod=755 {json.dumps(list(self.values))}"
        return f"{self.word} {' '.join(self.values)}"


def steps(base_image: str, code: str, *, environment: str) -> list[Step]:
    """The image step by step.

    Args:
        base_image: Image of Spark.
        code: File name of our code's zip.
        environment: File name of the packed environment; empty: the base image has one at
            /opt/ringlake/environment.
    """
    python = f"{HOME}/environment/bin/python"
    made = [
        Step("FROM", (base_image,)),
        Step("ARG", ("PREFIX=",)),
        Step("USER", ("root",)),
        Step("COPY", ("jars/", "/opt/spark/jars/")),
        Step("COPY", ("main.py", code, "gpus.sh", f"{HOME}/")),
    ]
    if environment:
        # An archive that ADD unpacks.
        made.append(Step("ADD", (environment, f"{HOME}/environment/")))
    made += [
        Step("RUN", (f'mkdir -p "$PREFIX{HOME}/run" "$PREFIX/lake"',)),
        Step("ENV", (f"LD_LIBRARY_PATH={HOME}/environment/lib",)),
        Step("ENV", (f"PYTHONPATH={HOME}/{code}",)),
        Step("ENV", (f"PYSPARK_PYTHON={python}",)),
        # Fails here, and not in a pod, where the base image's C library is older than the environment's.
        Step("RUN", (f'"$PREFIX{python}" -m ringlake version',)),
        Step("USER", ("185",)),
        Step("WORKDIR", ("/opt/spark/work-dir",)),
    ]
    return made


def text(made: list[Step]) -> str:
    """The Dockerfile."""
    return "# syntax=docker/dockerfile:1\n" + "".join(f"{step.text()}\n" for step in made)
