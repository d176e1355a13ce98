"""What a task is made of on a rank: its settings, and what its sequences and their tokenizer say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.train import TrainConfig
from training.errors import DataError
from training.facts import OPTIONS
from training.models.tokens import TokenizerFile


@dataclass(frozen=True)
class TaskBasis:
    """What a task is made of.

    Attributes:
        name: `task.name`.
        config: The section `train`.
        facts: What tokenizing noted of the examples (JSON values); empty for a language model.
        tokenizer: Tokenizer of the sequences.
    """

    name: str
    config: TrainConfig
    facts: Mapping[str, Any]
    tokenizer: TokenizerFile

    @property
    def options(self) -> dict[str, Any]:
        """`task.options`, by which the examples were made."""
        return dict(self.facts.get(OPTIONS) or {})

    @property
    def end_id(self) -> int:
        """Id of the token that ends a text and pads.

        Raises:
            DataError: The tokenizer names none.
        """
        found = self.tokenizer.end_of_document_id()
        if found is None:
            raise DataError(
                f"task {self.name!r} needs a token that ends a text and pads; name it in tokenize.end_token"
            )
        return found

    @property
    def pad_id(self) -> int:
        """Id of the token that pads: the one that the tokenizer names for it, else the one that ends a text.

        Raises:
            DataError: See `end_id`.
        """
        return self.tokenizer.pad_id(self.end_id)

    @property
    def byte_lengths(self) -> npt.NDArray[np.int64] | None:
        """Bytes of each token; None for a tokenizer that does not say: there are no bits per byte then."""
        try:
            return self.tokenizer.byte_lengths()
        except DataError:
            return None
