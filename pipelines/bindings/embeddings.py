"""The vectors that training takes from the stage `features` of its lake."""

from __future__ import annotations

from conf.model import ModelConfig
from pipelines.errors import InputError
from pipelines.run.context import Context

FROM_FEATURES = "features"
"""Value of `model.embeddings` that means what this lake's own stage wrote."""


def with_embeddings(context: Context, model: ModelConfig) -> ModelConfig:
    """The section `model` with the place of the vectors that `model.embeddings` means.

    Raises:
        InputError: The stage has not run in this lake, or made vectors of words.
    """
    if model.embeddings != FROM_FEATURES:
        return model
    name = context.last("features").details.get("embeddings")
    if not isinstance(name, str):
        raise InputError(
            "model.embeddings = 'features', but that stage made vectors of words, which are no tokens of the "
            "model; run it with features.unit=tokens"
        )
    return model.model_copy(update={"embeddings": context.lake.embeddings.file(name).location})
