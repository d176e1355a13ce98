"""What a task is made of on a rank: its settings, and what its sequences and their tokenizer say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.train import TrainConfig
from training.errors import DataError
from training.facts import OPTIONS, target_of
from training.models.tokens import TokenizerFile


@dataclass(frozen=True)
class Targets:
    """The vocabulary of targets that have a tokenizer of their own.

    Attributes:
        vocab_size: Entries.
        end_id: Token that ends a target.
        byte_lengths: Bytes of each token, (vocab_size,); None: they are not known.
    """

    vocab_size: int
    end_id: int
    byte_lengths: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class TaskBasis:
    """What a task is made of.

    Attributes:
        name: `task.name`.
        config: The section `train`.
        facts: What tokenizing noted of the examples (JSON values); empty for a language model.
        tokenizer: Tokenizer of the sequences.
        target_tokenizer: Tokenizer of the targets; None: they have that one, or are no text.
    """

    name: str
    config: TrainConfig
    facts: Mapping[str, Any]
    tokenizer: TokenizerFile
    target_tokenizer: TokenizerFile | None = None

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
        return _byte_lengths(self.tokenizer)

    @property
    def targets(self) -> Targets | None:
        """The vocabulary of targets that have a tokenizer of their own.

        Raises:
            DataError: What is noted of it is damaged, or its tokenizer is not given.
        """
        noted = target_of(self.facts)
        if noted is None:
            return None
        if self.target_tokenizer is None:
            raise DataError(
                f"the sequences say that their targets have a tokenizer of their own (SHA-256 "
                f"{noted.tokenizer_hash}), and none is given; tokenize again, or put it back"
            )
        return Targets(noted.vocab_size, noted.eod_id, _byte_lengths(self.target_tokenizer))


def _byte_lengths(tokenizer: TokenizerFile) -> npt.NDArray[np.int64] | None:
    try:
        return tokenizer.byte_lengths()
    except DataError:
        return None
