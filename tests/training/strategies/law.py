"""A least-squares problem cut into subtasks, and gradient descent on it by ranks; see test_law.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NUM_SUBTASKS = 100
NUM_WEIGHTS = 5
LEARNING_RATE = 0.1
NUM_UPDATES = 100


def subtasks() -> list[tuple[Array, Array]]:
    """Inputs (rows, 5) and targets (rows,) of each subtask; they have 1 to 9 rows, and none is alike."""
    generator = np.random.default_rng(7)
    parts = []
    for index in range(NUM_SUBTASKS):
        inputs = generator.normal(size=(1 + index % 9, NUM_WEIGHTS))
        targets = inputs @ np.arange(1.0, NUM_WEIGHTS + 1) + generator.normal(size=len(inputs))
        parts.append((inputs, targets))
    return parts


def gradient(theta: Array, inputs: Array, targets: Array, num_rows: int) -> Array:
    """Of J_i(theta) = sum over the rows of the subtask of (x theta - y)^2 / (2 num_rows).

    Args:
        theta: Where, (5,).
        inputs: Of the subtask, (rows, 5).
        targets: Of the subtask, (rows,).
        num_rows: Rows of ALL subtasks: what makes the sum of the J_i the mean over all rows.
    """
    return np.asarray(inputs.T @ (inputs @ theta - targets) / num_rows)


def share(rank: int, world_size: int) -> tuple[int, int]:
    """First subtask of a rank and the one after its last; rank 1 has three times rank 0's."""
    weights = np.cumsum([0, *(2 * rank + 1 for rank in range(world_size))])
    bounds = NUM_SUBTASKS * weights // weights[-1]
    return int(bounds[rank]), int(bounds[rank + 1])


def descend_as_rank() -> dict[str, Any]:
    """What each rank does: its own subtasks' gradients, summed over the ranks, then the same update."""
    import torch

    from training.strategies import make_strategy

    strategy = make_strategy()
    everything = subtasks()
    num_rows = sum(len(targets) for _, targets in everything)
    mine = everything[slice(*share(strategy.rank, strategy.world_size))]
    theta = np.zeros(NUM_WEIGHTS)
    first = None
    for _ in range(NUM_UPDATES):
        own = sum((gradient(theta, *part, num_rows) for part in mine), start=np.zeros(NUM_WEIGHTS))
        total = torch.from_numpy(own)
        strategy.add_up(total, torch.zeros(1, dtype=torch.float64))
        first = total.tolist() if first is None else first
        theta = theta - LEARNING_RATE * total.numpy()
    return {"gradient": first, "theta": theta.tolist(), "subtasks": len(mine)}
