"""Section `model`: what is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from conf.section import Section

TWO_VOCABULARIES = ("marian",)
"""Architectures of which encoder and decoder can have a vocabulary each, as `decoder_vocab_size` of their
configuration says; of a pre-trained model its folder tells."""


class ModelConfig(Section):
    """The model: a `transformers` architecture built from a config, or a local pre-trained folder."""

    model_config = ConfigDict(protected_namespaces=())

    architecture: str | None = Field(
        None,
        description="A `transformers` model type with a head for the task, e.g. llama, marian or bert; null: "
        "a small one, of those three for language-model, translation and classification or "
        "question-answering.",
    )
    config: dict[str, Any] | None = Field(
        None,
        description="Arguments of that type's configuration; vocabulary and length are filled in. null: "
        "those of the small model, or of another architecture its own.",
    )
    pretrained: str | None = Field(None, description="Local folder to start from instead (safetensors only).")
    embeddings: str | None = Field(
        None,
        description="Vectors to start the embeddings from: 'features' for those of this lake's stage of that "
        "name, or the path or URL of the file it wrote.",
    )

    @model_validator(mode="after")
    def _numbers_are_finite(self) -> Self:
        for key, value in _leaves(self.config or {}):
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"config.{key} = {value} is no finite number; give one")
        return self

    @property
    def has_one_vocabulary(self) -> bool:
        """Whether no model of this architecture can have one vocabulary for texts and one for targets."""
        return self.pretrained is None and self.architecture not in (None, *TWO_VOCABULARIES)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.pretrained is not None and self.embeddings is not None:
            raise ValueError(
                f"pretrained = {self.pretrained!r} brings its own embeddings, so embeddings = "
                f"{self.embeddings!r} would replace what it has learned; leave one of them out"
            )
        return self


def _leaves(tree: Any, name: str = "") -> list[tuple[str, Any]]:
    """Values of a tree of mappings and lists, with their dotted names."""
    if isinstance(tree, Mapping):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list | tuple):
        items = [(str(key), value) for key, value in enumerate(tree)]
    else:
        return [(name, tree)]
    return [leaf for key, value in items for leaf in _leaves(value, f"{name}.{key}" if name else key)]
