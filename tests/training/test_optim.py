"""Optimizers, schedules, weight decay groups and the flat gradient buffer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.tiny import make_config
from training.errors import DataError
from training.optim import (
    SCALE,
    FlatGradients,
    freeze,
    layer_scales,
    learning_rate,
    make_optimizer,
    named_parameters,
)


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


SCHEDULES = ("cosine", "warmup-stable-decay", "linear", "constant")


@given(
    schedule=st.sampled_from(SCHEDULES),
    steps=st.integers(1, 300),
    warmup=st.integers(0, 320),
    floor=st.floats(0, 1),
    decay=st.floats(0.01, 1),
)
def test_every_schedule_rises_in_the_warm_up_then_never_and_ends_in_its_floor(
    schedule: str, steps: int, warmup: int, floor: float, decay: float
) -> None:
    config = make_config(
        schedule=schedule,
        steps=steps,
        warmup_steps=warmup,
        learning_rate=1.0,
        min_learning_rate=floor,
        decay_share=decay,
    )
    rates = [learning_rate(config, step) for step in range(steps)]
    assert rates[:warmup] == pytest.approx([(step + 1) / warmup for step in range(min(warmup, steps))])
    rest = rates[warmup:]
    assert all(floor - 1e-12 <= later <= earlier + 1e-12 for earlier, later in pairwise(rest))
    if rest:
        assert rest[0] == pytest.approx(1.0)
    if len(rest) > 1:
        assert rest[-1] == pytest.approx(1.0 if schedule == "constant" else floor)


def test_the_shapes_of_the_schedules() -> None:
    def rates(schedule: str) -> list[float]:
        config = make_config(
            schedule=schedule, steps=101, warmup_steps=0, learning_rate=1.0, min_learning_rate=0.0
        )
        return [learning_rate(config, step) for step in range(101)]

    assert rates("linear") == pytest.approx([1 - step / 100 for step in range(101)])
    assert rates("constant") == [1.0] * 101
    stable = rates("warmup-stable-decay")
    assert stable[:81] == [1.0] * 81
    assert stable[80:] == pytest.approx([1 - step / 20 for step in range(21)])


def test_the_first_update_of_each_optimizer_is_the_papers() -> None:
    """One weight, 1.0, with gradient 2.0, rate 0.1 and no decay."""

    def updated(optimizer: str, **more: Any) -> float:
        model = torch.nn.Linear(1, 1, bias=False)
        model.weight.data.fill_(1.0)
        config = make_config(optimizer=optimizer, learning_rate=0.1, weight_decay=0.0, beta2=0.96, **more)
        model.weight.grad = torch.full((1, 1), 2.0)
        make_optimizer(model, config).step()
        return float(model.weight.detach())

    assert updated("sgd") == pytest.approx(1 - 0.1 * 2)
    assert updated("sgd", momentum=0.9, nesterov=True) == pytest.approx(1 - 0.1 * (2 + 0.9 * 2))
    # Bias-corrected, the first step of Adam is the rate times the sign.
    assert updated("adam") == pytest.approx(1 - 0.1)
    assert updated("adamw") == pytest.approx(1 - 0.1)
    # The mean square begins at 0: 0.04 * 2**2.
    assert updated("rmsprop") == pytest.approx(1 - 0.1 * 2 / (0.04 * 4) ** 0.5)
    # A normalised update of 1, times the rate and the root mean square of the weights, 1.
    assert updated("adafactor") == pytest.approx(1 - 0.1)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "sgd", "adafactor"])
def test_only_matrices_decay(optimizer: str) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    groups = make_optimizer(model, make_config(optimizer=optimizer, weight_decay=0.3)).param_groups
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


def test_layers_below_learn_more_slowly() -> None:
    names = [
        "bert.embeddings.w",
        "bert.encoder.layer.0.w",
        "bert.encoder.layer.1.w",
        "bert.pooler.w",
        "head.b",
    ]
    assert list(layer_scales(names, 0.5).values()) == [0.125, 0.25, 0.5, 1.0, 1.0]
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    groups = make_optimizer(model, make_config(layer_decay=0.5)).param_groups
    assert sorted({group[SCALE] for group in groups if group["params"]}) == [0.25, 0.5]


def test_what_is_frozen_stays_and_a_name_that_fits_nothing_is_told() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    freeze(model, ["0."])
    assert list(named_parameters(model)) == ["1.weight", "1.bias"]
    with pytest.raises(DataError, match="no parameter's name begins with 'bert'"):
        freeze(model, ["bert"])
    with pytest.raises(DataError, match="leaves no parameter that learns"):
        freeze(model, ["1."])
