"""One step: token-normalised accumulation, precision, loss scale."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.model import ModelConfig
from ringlake.base.storage import Folder
from tests.training.tiny import LENGTH, MODEL, SIZES, VOCAB_SIZE, make_config, make_job
from training.data.reader import Batch
from training.logs.metrics import read_metrics
from training.loop import train_rank
from training.models import precision
from training.models.build import build_model
from training.models.precision import LossScale
from training.optim import make_optimizer
from training.step import Stepper, StepResult
from training.strategies.single import Single

MODEL_OF_TEST: Any = build_model(MODEL, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=1)


def make_batch(num_tokens: list[int], seed: int = 0) -> Batch:
    ids = np.random.default_rng(seed).integers(0, VOCAB_SIZE, (len(num_tokens), LENGTH), dtype=np.int32)
    return Batch(0, np.arange(len(num_tokens)), ids.astype(np.uint16), np.array(num_tokens, dtype=np.int32))


def take_step(
    batch: Batch, model: Any = None, scale: LossScale | None = None, **changes: Any
) -> tuple[StepResult, torch.Tensor]:
    """A step of plain SGD with rate 1 and no clipping, so that the change of the weights is the gradient."""
    config = make_config(
        optimizer="sgd",
        schedule="constant",
        learning_rate=1.0,
        weight_decay=0.0,
        warmup_steps=0,
        clip_norm=1e9,
        **changes,
    )
    model = deepcopy(model or MODEL_OF_TEST)
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    stepper = Stepper(
        model,
        make_optimizer(model, config),
        Single(),
        config,
        8 * (LENGTH - 1),
        scale or LossScale.of(config.precision),
    )
    result = stepper.step(batch, 0.0)
    return result, before - torch.cat([p.detach().flatten() for p in model.parameters()])


@settings(max_examples=15)
@given(lengths=st.lists(st.integers(2, LENGTH), min_size=1, max_size=8), size=st.integers(1, 8))
def test_accumulation_gives_the_gradient_of_the_mean_over_all_tokens(lengths: list[int], size: int) -> None:
    """With uneven padding a mean of micro-batch means would weigh tokens of short sequences more."""
    batch = make_batch(lengths)
    result, gradient = take_step(batch, micro_batch_size=size)
    reference = deepcopy(MODEL_OF_TEST)
    ids = torch.from_numpy(batch.input_ids.astype(np.int64))
    logits = reference(input_ids=ids, use_cache=False).logits.log_softmax(-1)
    chosen = [
        -logits[row, position - 1, ids[row, position]]
        for row, length in enumerate(lengths)
        for position in range(1, length)
    ]
    loss = torch.stack(chosen).mean()
    loss.backward()
    expected = torch.cat([p.grad.flatten() for p in reference.parameters()])
    assert result.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize(
    ("changes", "loss_tolerance", "gradient_tolerance"),
    [
        # Unit roundoff of bf16 is 2**-8, of fp16 2**-11 (Higham, SIAM 2002, section 2.1).
        ({"precision": "bf16"}, 2**-8, 2**-4),
        ({"precision": "fp16"}, 2**-11, 2**-7),
        ({"activation_checkpointing": True}, 1e-6, 1e-5),
    ],
)
def test_a_step_computed_otherwise_agrees_within_its_precision(
    changes: dict[str, Any], loss_tolerance: float, gradient_tolerance: float
) -> None:
    from training.models.build import speed_up

    batch = make_batch([LENGTH, 5, 9, LENGTH, 2, LENGTH, LENGTH, 12])
    exact, wanted = take_step(batch, micro_batch_size=3)
    model = deepcopy(MODEL_OF_TEST)
    speed_up(model, make_config(**changes))
    result, gradient = take_step(batch, model, micro_batch_size=3, **changes)
    assert result.loss == pytest.approx(exact.loss, rel=loss_tolerance)
    assert float((gradient - wanted).norm() / wanted.norm()) < gradient_tolerance
    assert result.grad_norm == pytest.approx(exact.grad_norm, rel=gradient_tolerance)
    assert not result.skipped
    if "precision" in changes:
        assert result.loss != exact.loss


def test_activation_checkpointing_keeps_fewer_activations() -> None:
    from training.models.build import speed_up

    def kept(model: Any) -> int:
        total = [0]

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            total[0] += tensor.numel()
            return tensor

        ids = torch.zeros((4, LENGTH), dtype=torch.int64)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(input_ids=ids, use_cache=False)
        return total[0]

    model = deepcopy(MODEL_OF_TEST)
    plain = kept(model)
    speed_up(model, make_config(activation_checkpointing=True))
    assert kept(model) < plain / 2


def test_an_overflow_halves_the_loss_scale_and_leaves_the_step_out() -> None:
    scale = LossScale(2.0**60)
    result, change = take_step(make_batch([LENGTH] * 8), scale=scale, precision="fp16")
    assert (result.skipped, result.loss_scale, scale.scale) == (True, 2.0**60, 2.0**59)
    assert not change.any()


def test_the_loss_scale_grows_after_clean_steps_and_gives_up_at_its_smallest() -> None:
    scale = LossScale(4.0)
    assert not any(scale.note(1.0) for _ in range(precision.GROWTH_INTERVAL - 1))
    assert scale.scale == 4.0
    scale.note(1.0)
    assert (scale.scale, scale.clean_steps) == (8.0, 0)
    smallest = LossScale(precision.SMALLEST_SCALE)
    assert smallest.note(float("inf")) is False


def test_a_training_in_fp16_finds_its_scale_and_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "INITIAL_SCALE", 2.0**42)
    job = make_job(tmp_path, make_config(steps=40, precision="fp16"))
    train_rank(job)
    lines = read_metrics(Folder(job.checkpoint_dir))
    skipped = [line["step"] for line in lines if line["skipped"]]
    # The first ones, one after the other, and no more once the scale fits.
    assert skipped == list(range(1, len(skipped) + 1))
    assert 0 < len(skipped) < 36
    assert [line["loss_scale"] for line in lines[: len(skipped)]] == [
        2.0 ** (42 - n) for n in range(len(skipped))
    ]
    assert all(line["grad_norm"] is None for line in lines[: len(skipped)])
    assert lines[-1]["loss"] < lines[0]["loss"]


@pytest.mark.rare
@pytest.mark.slow
def test_a_compiled_model_trains_the_same(tmp_path: Path) -> None:
    losses = []
    # Compiling takes the time, once for each shape and mode: one layer, and no odd batch in validation.
    model = ModelConfig(config=SIZES | {"num_hidden_layers": 1})
    for name, changes in (("plain", {}), ("compiled", {"compile": True})):
        config = make_config(steps=4, validate_every=4, validate_sequences=2, **changes)
        job = make_job(tmp_path / name, config, model)
        train_rank(job)
        losses.append([line["loss"] for line in read_metrics(Folder(job.checkpoint_dir))])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
