"""Rows of alike length together: which of them form a batch, and the padded tensors of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

MAX_ROWS = 256
"""Rows of a batch at most: with more, short rows gain nothing and the lists around them cost."""


def plan(lengths: Sequence[int], budget: int, max_rows: int = MAX_ROWS) -> Iterator[list[int]]:
    """Batches of rows, the longest first; every row is in one of them.

    Args:
        lengths: Tokens of each row.
        budget: Tokens of a batch, padding counted, if it has more than one row.
        max_rows: Rows of a batch.

    Yields:
        The numbers of the rows of a batch.
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and (len(batch) == max_rows or (len(batch) + 1) * lengths[batch[0]] > budget):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def padded(
    rows: Sequence[Sequence[int]], value: int, *, left: bool = False, device: torch.device | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of unequal length as one tensor, and which of its places are real.

    Args:
        rows: Token ids.
        value: What stands in the places that are not.
        left: Whether these come before the row, as for models that go on at its right end.
        device: Where the tensors are made.

    Returns:
        Ids and mask, both int64 of shape (rows, longest).
    """
    longest = max(map(len, rows))
    ids, mask = [], []
    for row in rows:
        gap = longest - len(row)
        ids.append([value] * gap + list(row) if left else list(row) + [value] * gap)
        mask.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
