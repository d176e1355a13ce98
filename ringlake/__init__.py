"""ringlake: text to language models on one Spark cluster. What programs and notebooks may lean on.

    import ringlake

    ringlake.run("my-run.yaml", settings={"lake": "mylake"})       # the whole job, or one stage of it
    lake = ringlake.open_lake("mylake")
    lake.table("rejected").to_pandas(where="rule LIKE 'gopher%'")  # or to_arrow, to_batches, to_spark
    ringlake.predict(df, "mylake/model", verb="generate")          # a DataFrame with what a model says
    ringlake.Sequences("mylake", batch_size=8)                     # a torch dataset, exact and resumable
    ringlake.HorovodRunner(np=4).run(train)                        # ranks in a barrier stage

What is named in `__all__` keeps its meaning until the next major release, as semantic versioning has it. All
else, in this package and in `conf`, `pipelines`, `schemas` and `training`, is internal and may change with
any release. A name is imported when it is first used: `import ringlake` loads neither Spark nor torch.

Import it before packages of your own that are called `conf`, `pipelines`, `schemas` or `training`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ringlake.names import NameClashError, claim

claim()

if TYPE_CHECKING:
    from conf import ConfigError
    from pipelines.errors import RinglakeError
    from ringlake.base.extensions import ExtensionError
    from ringlake.jobs import StageRun, run
    from ringlake.lakes import Lake, Table, open_lake, predict
    from ringlake.models import Model, open_model
    from ringlake.sequences import Sequences
    from ringlake.trainings import Training
    from training.errors import RankFailedError, TrainingError
    from training.failures import RankFailure
    from training.launch import (
        Elastic,
        HorovodRunner,
        LaunchOptions,
        RankInfo,
        current_rank,
        emit,
        launch,
        launch_local,
        log_to_driver,
    )

    __version__: str

_PLACES = {
    "ConfigError": "conf",
    "Elastic": "training.launch",
    "ExtensionError": "ringlake.base.extensions",
    "HorovodRunner": "training.launch",
    "Lake": "ringlake.lakes",
    "LaunchOptions": "training.launch",
    "Model": "ringlake.models",
    "RankFailedError": "training.errors",
    "RankFailure": "training.failures",
    "RankInfo": "training.launch",
    "RinglakeError": "pipelines.errors",
    "Sequences": "ringlake.sequences",
    "StageRun": "ringlake.jobs",
    "Table": "ringlake.lakes",
    "Training": "ringlake.trainings",
    "TrainingError": "training.errors",
    "current_rank": "training.launch",
    "emit": "training.launch",
    "launch": "training.launch",
    "launch_local": "training.launch",
    "log_to_driver": "training.launch",
    "open_lake": "ringlake.lakes",
    "open_model": "ringlake.models",
    "predict": "ringlake.lakes",
    "run": "ringlake.jobs",
}
"""Module of each public name."""

__all__ = [
    "ConfigError",
    "Elastic",
    "ExtensionError",
    "HorovodRunner",
    "Lake",
    "LaunchOptions",
    "Model",
    "NameClashError",
    "RankFailedError",
    "RankFailure",
    "RankInfo",
    "RinglakeError",
    "Sequences",
    "StageRun",
    "Table",
    "Training",
    "TrainingError",
    "current_rank",
    "emit",
    "launch",
    "launch_local",
    "log_to_driver",
    "open_lake",
    "open_model",
    "predict",
    "run",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ringlake.base.code import release

        return release()
    if name not in _PLACES:
        raise AttributeError(f"module 'ringlake' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
