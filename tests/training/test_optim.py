"""Learning rate, weight decay groups and the flat gradient buffer."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tests.training.tiny import make_config
from training.optim import FlatGradients, learning_rate, make_optimizer


def test_the_rate_warms_up_linearly_and_ends_in_the_minimum() -> None:
    config = make_config(steps=101, warmup_steps=5, learning_rate=1.0, min_learning_rate=0.1)
    rates = [learning_rate(config, step) for step in range(101)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1)
    assert all(later <= earlier for earlier, later in pairwise(rates[5:]))
    # Half way between step 5 and step 100 the cosine is in the middle.
    assert (rates[52] + rates[53]) / 2 == pytest.approx(0.55)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (3, 10), (10, 10), (2, 1)])
def test_short_trainings_have_a_rate_for_every_step(steps: int, warmup: int) -> None:
    config = make_config(steps=steps, warmup_steps=warmup, learning_rate=1.0, min_learning_rate=0.1)
    assert all(0 < learning_rate(config, step) <= 1.0 for step in range(steps))


def test_only_matrices_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    groups = make_optimizer(model, make_config(weight_decay=0.3)).param_groups
    assert [[p.ndim for p in group["params"]] for group in groups] == [[2], [1, 1, 1]]
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]


def test_gradients_flow_into_the_buffer_and_add_up() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    gradients = FlatGradients(model.parameters())
    inputs = torch.randn(4, 3)
    for _ in range(2):
        model(inputs).square().sum().backward()
    reference = torch.nn.Linear(3, 2)
    reference.load_state_dict(model.state_dict())
    (2 * reference(inputs).square().sum()).backward()
    expected = torch.cat([p.grad.flatten() for p in reference.parameters() if p.grad is not None])
    torch.testing.assert_close(gradients.buffer, expected)
    gradients.zero()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_clipping_is_torchs_on_all_parameters_together() -> None:
    torch.manual_seed(1)
    model, reference = torch.nn.Linear(5, 4), torch.nn.Linear(5, 4)
    reference.load_state_dict(model.state_dict())
    gradients = FlatGradients(model.parameters())
    inputs = torch.randn(8, 5) * 10
    for network in (model, reference):
        network(inputs).square().sum().backward()
    norm = gradients.clip(1.5)
    assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.5)))
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    before = gradients.buffer.clone()
    gradients.clip(1e6)
    assert torch.equal(gradients.buffer, before)
