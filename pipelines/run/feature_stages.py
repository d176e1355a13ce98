"""The optional stage `features`, bound to its tables, and what training takes from it."""

from __future__ import annotations

from typing import Any

from conf.learn import ModelConfig
from pipelines.errors import InputError
from pipelines.features.embeddings import embedding_file
from pipelines.features.stage import features
from pipelines.features.vectors import token_sentences
from pipelines.lake import read_arrow
from pipelines.run.accounting import Tally
from pipelines.run.binding import rows_of, watched, write_output
from pipelines.run.context import Context
from pipelines.run.stage import Outcome, Stage

FROM_FEATURES = "features"
"""Value of `model.embeddings` that means what this lake's own stage wrote."""


def _features(context: Context, metadata: dict[str, Any]) -> Outcome:
    config = context.config.features
    corpus = context.input("corpus")
    with watched(context, "features", "Words, TF-IDF and vectors of the corpus"):
        tokens = token_sentences(context.input("tokens")) if config.unit == "tokens" else None
        output = features(corpus, config, tokens)
        versions = write_output(context, output, metadata)
    details = dict(output.details)
    if config.unit == "tokens":
        made = context.catalog.info("tokens", metadata["inputs"]["tokens"]).metadata
        vectors = read_arrow(context.lake, "vectors", version=versions["vectors"])
        name, content = embedding_file(vectors, made["vocab_size"])
        folder = context.lake.embeddings
        folder.create()
        if not folder.exists(name):
            folder.replace(name, content)
        details["embeddings"] = folder.file(name).location
        context.console.say(
            f"    {vectors.num_rows:,} of {made['vocab_size']:,} tokens have a vector; to start a model from "
            f"them: --set model.embeddings={FROM_FEATURES}"
        )
    rows = rows_of(context, versions)
    documents = context.catalog.info("corpus", metadata["inputs"]["corpus"]).rows
    details["num_terms"], details["num_vectors"] = rows["terms"], rows["vectors"]
    return Outcome(versions, Tally(rows_in=documents, rows_out=rows["tfidf"]), details)


def with_embeddings(context: Context, model: ModelConfig) -> ModelConfig:
    """The section `model` with the place of the vectors that `model.embeddings` means.

    Raises:
        InputError: The stage has not run in this lake, or made vectors of words.
    """
    if model.embeddings != FROM_FEATURES:
        return model
    place = context.last("features").details.get("embeddings")
    if not isinstance(place, str):
        raise InputError(
            "model.embeddings = 'features', but that stage made vectors of words, which are no tokens of the "
            "model; run it with features.unit=tokens"
        )
    return model.model_copy(update={"embeddings": place})


def embeddings_fingerprint(context: Context) -> str:
    """The vectors that training starts from; empty if it starts without."""
    if context.config.model.embeddings != FROM_FEATURES:
        return ""
    record = context.ledger.latest("features")
    return str(record.details.get("embeddings", "")) if record is not None else ""


FEATURE_STAGES = (
    Stage(
        name="features",
        purpose="words, TF-IDF and vectors of the corpus",
        sections=("features",),
        inputs=("corpus", "tokens"),
        outputs=("terms", "tfidf", "vectors"),
        execute=_features,
        enabled=lambda context: context.config.features.enabled,
    ),
)
