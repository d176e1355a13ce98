"""The law behind all strategies: a sum of losses has the sum of their gradients.

Training minimises J(theta), the mean loss over all N rows. Cut the rows into M shards, in any way, with any
sizes, and divide each shard's summed loss by N, not by the shard's own rows:

    J(theta)      = J_1(theta) + ... + J_M(theta)
    grad J(theta) = grad J_1(theta) + ... + grad J_M(theta)

So ranks that compute the gradients of their own shards and add them up have the gradient of one process that
sees all rows: exactly in real numbers, up to the order of additions in floats. From the same start the same
update gives the same next theta, and by induction all following ones. How the sum is made, in a ring, on a
server or in buckets during backward, is nobody's business but the clock's.

The first half shows it on a least-squares problem of 100 subtasks, the second on the real training: 20 steps
over uneven batches, through the real launch.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.strategies.conftest import Cases
from tests.training.strategies.law import (
    LEARNING_RATE,
    NUM_SUBTASKS,
    NUM_UPDATES,
    NUM_WEIGHTS,
    gradient,
    share,
    subtasks,
)

# A test waits for the launches of its cases, each of which imports torch in every process.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

EXACT = ["ring-2", "ring-overlap-4", "sharded-2", "servers-2"]
EXACT_TOO = ["ddp-4", "servers-1"]
"""Cases of the strategies that promise to compute what one rank computes."""


def test_the_loss_is_the_sum_of_the_shards_losses_and_so_is_its_gradient() -> None:
    parts = subtasks()
    inputs, targets = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    theta = np.linspace(-1, 1, NUM_WEIGHTS)
    num_rows = len(targets)
    assert len({len(y) for _, y in parts}) == 9, "the shards are uneven"
    losses = [np.sum((x @ theta - y) ** 2) / (2 * num_rows) for x, y in parts]
    assert sum(losses) == pytest.approx(np.mean((inputs @ theta - targets) ** 2) / 2)
    slopes = [gradient(theta, x, y, num_rows) for x, y in parts]
    assert np.sum(slopes, axis=0) == pytest.approx(inputs.T @ (inputs @ theta - targets) / num_rows)
    # The usual mistake: the mean of the shards' own means is another gradient as soon as shards are uneven.
    wrong = np.mean([slope * num_rows / len(y) for slope, (_, y) in zip(slopes, parts, strict=True)], axis=0)
    assert wrong != pytest.approx(np.sum(slopes, axis=0), rel=1e-3)


@pytest.mark.parametrize("num_ranks", [pytest.param(1, marks=pytest.mark.rare), 2, 4])
def test_ranks_have_the_gradient_of_one_process_and_reach_its_theta(cases: Cases, num_ranks: int) -> None:
    """Gradient descent on 100 subtasks with learning rate 0.1, by ranks with uneven shares."""
    shares = [share(rank, num_ranks) for rank in range(num_ranks)]
    assert sum(end - first for first, end in shares) == NUM_SUBTASKS
    assert len({end - first for first, end in shares}) == num_ranks
    parts = subtasks()
    inputs, targets = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    theta = np.zeros(NUM_WEIGHTS)
    slope = inputs.T @ (inputs @ theta - targets) / len(targets)
    found = cases.value(f"law-{num_ranks}")
    assert found["gradient"] == pytest.approx(slope, rel=1e-12)
    for _ in range(NUM_UPDATES):
        theta = theta - LEARNING_RATE * inputs.T @ (inputs @ theta - targets) / len(targets)
    assert found["theta"] == pytest.approx(theta, rel=1e-10)
    best = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    assert theta == pytest.approx(best, rel=1e-2), "and it is where gradient descent should go"


@pytest.mark.parametrize(
    "case", [*EXACT, *(pytest.param(case, marks=pytest.mark.rare) for case in EXACT_TOO)]
)
def test_twenty_steps_of_the_real_training_equal_one_rank(cases: Cases, case: str) -> None:
    """The last batch of each epoch has 3 sequences, one of them padded: with 4 ranks one has no row."""
    assert len(cases.curve("single", "loss")) == 20
    assert cases.curve(case, "ids_hash") == cases.curve("single", "ids_hash")
    assert cases.curve(case, "loss") == pytest.approx(cases.curve("single", "loss"), rel=1e-4)
    assert cases.curve(case, "grad_norm") == pytest.approx(cases.curve("single", "grad_norm"), rel=1e-3)
    validated, single = (cases.value(name)["totals"]["validation_loss"] for name in (case, "single"))
    assert validated == pytest.approx(single, rel=1e-4)


def test_an_average_after_each_step_of_plain_descent_equals_the_ring(cases: Cases) -> None:
    """mean_r(theta - lr W g_r) = theta - lr sum_r g_r: local_sgd with H = 1 and SGD is the ring."""
    ring, local = cases.value("descent-ring-2"), cases.value("descent-local-2")
    assert local["losses"] == pytest.approx(ring["losses"], rel=1e-5)
    assert local["theta"] == pytest.approx(ring["theta"], abs=1e-6)
    assert ring["losses"][-1] < ring["losses"][0]
