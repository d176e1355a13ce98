"""The model's scores."""

from pipelines.stages.declaration import Stage

_OF_TASKS = ("sequences", "corpus", "refused")

EVALUATE = Stage(
    name="evaluate",
    after="train",
    summary="Score the model beside two baselines.",
    purpose="score the model and the baselines on the validation split",
    help="Score the model beside a unigram and a bigram baseline: evaluation.json.",
    sections=("evaluate", "task"),
    reads=("sequences",),
    reads_with=lambda config: ("sequences",) if config.task.name == "language-model" else _OF_TASKS,
    may_read=_OF_TASKS[1:],
    extras=lambda config: {"sacrebleu": "tasks"} if config.task.name == "translation" else {},
    binding="pipelines.bindings.evaluate",
    code=(
        "training.start",
        "training.inference.opening",
        "pipelines.evaluate.baselines",
        "pipelines.evaluate.classic",
        "pipelines.evaluate.classification",
        "pipelines.evaluate.question_answering",
        "pipelines.evaluate.translation",
        "pipelines.features.words",
    ),
)
