"""The model's scores."""

from pipelines.stages.declaration import Stage

EVALUATE = Stage(
    name="evaluate",
    after="train",
    summary="Score the model beside two baselines.",
    purpose="score the model and the baselines on the validation split",
    help="Score the model beside a unigram and a bigram baseline: evaluation.json.",
    reads=("sequences",),
    binding="pipelines.bindings.evaluate",
    code=("training.start", "pipelines.evaluate.baselines"),
)
