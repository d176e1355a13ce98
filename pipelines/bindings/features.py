"""Features: leaves vectors of tokens as a file that a model can start from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pipelines.bindings.embeddings import FROM_FEATURES
from pipelines.errors import InputError
from pipelines.features.embeddings import embedding_file
from pipelines.features.stage import features
from pipelines.features.vectors import token_sentences
from pipelines.lake import read_arrow
from pipelines.run.artefacts import files_identity
from pipelines.run.binding import Binding, Finished, Given, Made, Written
from pipelines.run.context import Context


def _features(given: Given[None]) -> Made:
    config = given.config.features
    tokens = None
    if config.unit == "tokens":
        size = given.tables["tokens"].metadata.get("token_bytes")
        if size is None:
            raise InputError(
                f"table 'tokens' of the lake {given.context.lake.location} is of another release, whose "
                f"token ids are stored in another way; tokenize again"
            )
        task = given.tables["tokens"].metadata.get("task")
        tokens = token_sentences(given.frame("tokens"), size, task)
    output = features(given.frame("corpus"), config, tokens)
    return Made.of(output, finish=partial(_export, given))


def _export(given: Given[None], written: Written) -> Finished:
    """Counts terms and vectors; those of tokens become a file."""
    details: dict[str, Any] = {
        "num_terms": written.rows["terms"],
        "num_vectors": written.rows["vectors"],
    }
    if given.config.features.unit == "tokens":
        vocab_size = given.tables["tokens"].metadata["vocab_size"]
        vectors = read_arrow(given.context.lake, "vectors", version=written.versions["vectors"])
        name, content = embedding_file(vectors, vocab_size)
        folder = given.context.lake.embeddings
        folder.create()
        # Named by content: what lies there under this name is this content, or damaged.
        folder.replace(name, content)
        details["embeddings"] = name
        given.say(
            f"    {vectors.num_rows:,} of {vocab_size:,} tokens have a vector; to start a model from "
            f"them: --set model.embeddings={FROM_FEATURES}"
        )
    return Finished(details)


def _left(context: Context, details: Mapping[str, Any]) -> dict[str, str]:
    """Identity of the file of vectors, if there is one for a model to start from."""
    name = details.get("embeddings")
    if not isinstance(name, str):
        return {}
    return files_identity(context.lake, [context.lake.embeddings.file(name)])


BINDING = Binding.of_tables(_features, _left)
