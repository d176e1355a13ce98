"""The task of a training, from its configuration and from what its sequences say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.task import LANGUAGE_MODEL
from conf.train import TrainConfig
from training.errors import DataError
from training.models.tokens import TokenizerFile
from training.tasks.classification import Classification
from training.tasks.instruct import Instruct
from training.tasks.language_model import LanguageModel
from training.tasks.question_answering import QuestionAnswering
from training.tasks.task import Task
from training.tasks.translation import Translation


def make_task(name: str, config: TrainConfig, facts: Mapping[str, Any], tokenizer: TokenizerFile) -> Task:
    """The task that a run file names.

    Args:
        name: `task.name`.
        config: The section `train`.
        facts: What tokenizing noted of the examples, see `Snapshot.task`; empty for a language model.
        tokenizer: Tokenizer of the sequences.

    Raises:
        DataError: The tokenizer names no token that ends a text.
    """
    end_id = tokenizer.end_of_document_id()
    if name == LANGUAGE_MODEL:
        return LanguageModel(end_id, apart=config.document_mask, byte_lengths=byte_lengths_of(tokenizer))
    if end_id is None:
        raise DataError(
            f"task {name!r} needs a token that ends a text and pads; name it in tokenize.end_token"
        )
    return _MAKERS[name](config, facts, tokenizer, end_id)


def _translation(
    config: TrainConfig, _facts: Mapping[str, Any], tokenizer: TokenizerFile, end_id: int
) -> Task:
    return Translation(end_id, config.label_smoothing, byte_lengths_of(tokenizer))


def _classification(
    config: TrainConfig, facts: Mapping[str, Any], tokenizer: TokenizerFile, end_id: int
) -> Task:
    labels, counts = facts["labels"], facts["label_counts"]
    weights = None
    if config.class_weights == "balanced":
        total = sum(counts)
        weights = [total / (len(labels) * count) for count in counts]
    return Classification(labels, tokenizer.pad_id(end_id), config.label_smoothing, weights)


def _instruct(_config: TrainConfig, _facts: Mapping[str, Any], tokenizer: TokenizerFile, end_id: int) -> Task:
    return Instruct(end_id, byte_lengths_of(tokenizer))


def _question_answering(
    config: TrainConfig, facts: Mapping[str, Any], tokenizer: TokenizerFile, end_id: int
) -> Task:
    return QuestionAnswering(
        tokenizer.pad_id(end_id), no_answer=bool(facts["no_answer"]), smoothing=config.label_smoothing
    )


_MAKERS: dict[str, Callable[[TrainConfig, Mapping[str, Any], TokenizerFile, int], Task]] = {
    "instruct": _instruct,
    "translation": _translation,
    "classification": _classification,
    "question-answering": _question_answering,
}


def byte_lengths_of(tokenizer: TokenizerFile) -> npt.NDArray[np.int64] | None:
    """Bytes of each token; None for a tokenizer that does not say: there are no bits per byte then."""
    try:
        return tokenizer.byte_lengths()
    except DataError:
        return None
