"""The optional stage `features`, bound to its tables, and what training takes from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf.learn import ModelConfig
from pipelines.errors import InputError
from pipelines.features.embeddings import embedding_file
from pipelines.features.stage import features
from pipelines.features.vectors import token_sentences
from pipelines.lake import read_arrow
from pipelines.run.accounting import Tally
from pipelines.run.artefacts import files_identity
from pipelines.run.binding import rows_of, watched, write_output
from pipelines.run.context import Context
from pipelines.run.libraries import FEATURES
from pipelines.run.stage import Outcome, Stage

FROM_FEATURES = "features"
"""Value of `model.embeddings` that means what this lake's own stage wrote."""


def _features(context: Context, metadata: dict[str, Any]) -> Outcome:
    config = context.config.features
    corpus = context.input("corpus")
    with watched(context, "features", "Words, TF-IDF and vectors of the corpus"):
        tokens = None
        if config.unit == "tokens":
            size = context.catalog.info("tokens", metadata["inputs"]["tokens"]).metadata.get("token_bytes")
            if size is None:
                raise InputError(
                    f"table 'tokens' of the lake {context.lake.location} is of another release, whose token "
                    f"ids are stored in another way; tokenize again"
                )
            tokens = token_sentences(context.input("tokens"), size)
        output = features(corpus, config, tokens)
        versions = write_output(context, output, metadata)
    details = dict(output.details)
    if config.unit == "tokens":
        made = context.catalog.info("tokens", metadata["inputs"]["tokens"]).metadata
        vectors = read_arrow(context.lake, "vectors", version=versions["vectors"])
        name, content = embedding_file(vectors, made["vocab_size"])
        folder = context.lake.embeddings
        folder.create()
        # Named by content: what lies there under this name is this content, or damaged.
        folder.replace(name, content)
        details["embeddings"] = name
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
    name = context.last("features").details.get("embeddings")
    if not isinstance(name, str):
        raise InputError(
            "model.embeddings = 'features', but that stage made vectors of words, which are no tokens of the "
            "model; run it with features.unit=tokens"
        )
    return model.model_copy(update={"embeddings": context.lake.embeddings.file(name).location})


def _vectors_left(context: Context, details: Mapping[str, Any]) -> dict[str, str]:
    """Identity of the file of vectors, if there is one for a model to start from."""
    name = details.get("embeddings")
    if not isinstance(name, str):
        return {}
    return files_identity(context.lake, [context.lake.embeddings.file(name)])


FEATURE_STAGES = (
    Stage(
        name="features",
        purpose="words, TF-IDF and vectors of the corpus",
        sections=("features",),
        inputs=("corpus", "tokens"),
        outputs=("terms", "tfidf", "vectors"),
        execute=_features,
        artefacts=_vectors_left,
        libraries=lambda _context: FEATURES,
        code=("pipelines.features.stage", "pipelines.features.embeddings", "pipelines.features.vectors"),
        enabled=lambda context: context.config.features.enabled,
    ),
)
