"""What is computed at once: some examples of a rank's part of a batch, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from schemas.token_ids import BEGINS, ID_BITS, LEARNED
from training.data.reader import Batch
from training.errors import DataError

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MicroBatch:
    """Examples that go through the model together.

    Attributes:
        tensors: What the model and the loss are given, by name, on the CPU.
        targets: What the loss is a sum over: predicted tokens, or examples.
        tokens: Tokens that the model is given.
        cells: The same with padding.
        sequence_id: The sequence that they are of, the first if they are of several.
    """

    tensors: Mapping[str, torch.Tensor]
    targets: int
    tokens: int
    cells: int
    sequence_id: int

    def on(self, device: torch.device) -> dict[str, torch.Tensor]:
        """The tensors on a device."""
        return {name: tensor.to(device) for name, tensor in self.tensors.items()}


class Example(NamedTuple):
    """One example of a task that is given something and gives something else.

    Attributes:
        sequence_id: The sequence that it lies in.
        given: Token ids that the model is given, int64.
        learned: What it is to give: token ids, a class, places; int64.
    """

    sequence_id: int
    given: Ids
    learned: Ids

    @property
    def size(self) -> int:
        """Tokens on both sides."""
        return len(self.given) + len(self.learned)


def unpack(batch: Batch) -> list[Example]:
    """The examples of all rows of a batch, in order.

    Raises:
        DataError: The rows hold no examples: they were packed for a language model.
    """
    found = []
    for number, words, count in zip(batch.sequence_ids, batch.input_ids, batch.num_tokens, strict=True):
        row = words[:count].astype(np.int64)
        starts = np.flatnonzero(row & BEGINS)
        if not len(starts) or starts[0] or words.itemsize < 4:
            raise DataError(
                f"sequence_id {int(number)} holds no examples of a task; tokenize and pack again with this "
                f"run file"
            )
        for part in np.split(row, starts[1:]):
            # Packing puts a token that ends a document behind each example.
            example = part[:-1]
            learned = (example & LEARNED) != 0
            found.append(Example(int(number), example[~learned] & ID_BITS, example[learned] & ID_BITS))
    return found


def grouped(batch: Batch, size: int, *, alone: bool) -> Iterator[list[Example]]:
    """The examples of a batch in the groups that are computed at once.

    Args:
        batch: The rows.
        size: A group has at most as many tokens as so many rows.
        alone: Whether no group may have examples of two rows.

    Raises:
        DataError: The rows hold no examples.
    """
    examples = unpack(batch)
    if not alone:
        yield from by_length(examples, size * batch.input_ids.shape[1])
        return
    for _, row in groupby(examples, key=lambda one: one.sequence_id):
        yield sorted(row, key=lambda one: one.size)


def by_length(examples: Sequence[Example], cells: int) -> Iterator[list[Example]]:
    """Examples of similar length together, so that little is padding; the order is that of their lengths.

    The loss is a sum over the global batch, so that it does not matter which are computed together.

    Args:
        examples: In any order.
        cells: Most tokens that are computed at once, padding included; a longer example is alone.
    """
    group: list[Example] = []
    given = learned = 0
    for example in sorted(examples, key=lambda one: (one.size, len(one.given))):
        wide = max(given, len(example.given)), max(learned, len(example.learned))
        if group and (len(group) + 1) * sum(wide) > cells:
            yield group
            group, wide = [], (len(example.given), len(example.learned))
        group.append(example)
        given, learned = wide
    if group:
        yield group


def given_tensors(group: Sequence[Example], filler: int) -> dict[str, torch.Tensor]:
    """What an encoder gets of some examples: padded `input_ids`, `attention_mask` over what is real."""
    ids = padded([example.given for example in group], filler)
    lengths = torch.tensor([len(example.given) for example in group])
    return {
        "input_ids": ids,
        "attention_mask": (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long(),
    }


def padded(rows: Sequence[Ids], filler: int) -> torch.Tensor:
    """Rows of ids as one int64 matrix (rows, longest), filled up at the right."""
    width = max(map(len, rows))
    matrix = np.full((len(rows), width), filler, np.int64)
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = row
    return torch.from_numpy(matrix)
