"""The model's scores."""

from pipelines.stages.declaration import Stage
from ringlake.base.tasks import TASKS, kind_of, modules

_OF_TASKS = ("sequences", "corpus", "refused")

EVALUATE = Stage(
    name="evaluate",
    after="train",
    summary="Score the model beside two baselines.",
    purpose="score the model and the baselines on the validation split",
    help="Score the model beside a unigram and a bigram baseline: evaluation.json.",
    sections=("evaluate", "task"),
    reads=("sequences",),
    reads_with=lambda config: _OF_TASKS if kind_of(config.task.name).scores else ("sequences",),
    may_read=_OF_TASKS[1:],
    extras=lambda config: kind_of(config.task.name).extras,
    binding="pipelines.bindings.evaluate",
    code=(
        "training.start",
        "training.inference.opening",
        "pipelines.evaluate.baselines",
        "pipelines.features.words",
        *modules("training"),
        *modules("scores"),
        *(f"training.inference.{kind.verb}" for kind in TASKS.values() if kind.scores),
    ),
)
