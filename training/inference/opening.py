"""The predictor of a verb, by its name."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module

from training.inference.options import Options, verb_of
from training.inference.predictor import Predictor

_CLASSES = {
    "generate": "Writer",
    "translate": "Translator",
    "classify": "Classifier",
    "answer": "Answerer",
    "embed": "Embedder",
}
"""Class of each verb, in the module of that name here."""


def open_predictor(verb: str, model_dir: str | os.PathLike[str], options: Options | None = None) -> Predictor:
    """An opened model that answers the rows of a verb.

    Args:
        verb: 'generate', 'translate', 'classify', 'answer' or 'embed'.
        model_dir: Model folder, a path or an fsspec URL: config.json, safetensors, tokenizer.
        options: How it is used; None: defaults.

    Raises:
        DataError: There is no such verb, or the folder has no model for it; see `folder.open_model`.
    """
    name = verb_of(verb)
    module = import_module(f"training.inference.{name}")
    predictor: Predictor = getattr(module, _CLASSES[name])(os.fspath(model_dir), options or Options())
    return predictor


@lru_cache(maxsize=1)
def shared_predictor(verb: str, model_dir: str, identity: str, options: Options) -> Predictor:
    """The same, opened once in this process for all that ask with equal arguments.

    Args:
        verb: The verb.
        model_dir: The folder.
        identity: What is in it: another content under the same name is another model.
        options: How it is used.
    """
    return open_predictor(verb, model_dir, options)
