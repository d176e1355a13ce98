"""The last step of set-up: all that a run imports is imported once, in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.setup.errors import CommandError, SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target

MODULES = (
    *("pipelines.run.loaded", "pipelines.report.build", "pipelines.evaluate.baselines"),
    *("training.loop", "training.evaluate", "training.generate", "training.launch.rendezvous"),
    *("transformers.models.llama.modeling_llama", "torch._dynamo", "pyspark.worker"),
)


def ensure(target: Target, progress: Progress, log: Path) -> None:
    """Import the modules of a run, so that a damaged package shows now and not an hour into a job.

    The byte code of a fresh installation comes into being here as well: where PYTHONDONTWRITEBYTECODE is
    set, every command and every rank would else compile torch and transformers anew, 10 to 20 s each time.

    Raises:
        SetupError: A module does not load; the message has the end of what Python said.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOROVOD_")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env.pop("PYTHONPATH", None)
    source = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    try:
        progress.run(
            [str(target.python), "-c", source, *MODULES],
            label="importing the packages",
            log=log,
            env=env,
            telling=r"(?!)",
        )
    except CommandError as error:
        raise SetupError(
            f"an installed package does not load: remove {target.prefix} and set up again.\n{error}"
        ) from error
    progress.line("all that a run imports loads")
