"""A model of the sequences."""

from pipelines.stages.declaration import Flag, Stage
from ringlake.base.tasks import modules

TRAIN = Stage(
    name="train",
    after="features",
    summary="Sequences to a model, in a barrier stage.",
    purpose="train the model in a barrier stage of this Spark application",
    help="Train the model in a barrier stage of this Spark application, from the last checkpoint on.",
    sections=("model", "train", "task"),
    reads=("sequences",),
    flags=(
        Flag("train.steps"),
        Flag("train.num_ranks"),
        Flag("train.global_batch_size"),
        Flag("train.learning_rate"),
        Flag("model.pretrained"),
    ),
    binding="pipelines.bindings.train",
    code=("training.start", *modules("training")),
)
