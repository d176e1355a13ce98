"""The law with models that draw random numbers, and the refusal of those that cannot keep it."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from conf.model import ModelConfig
from conf.strategy import StrategyConfig
from ringlake.base.storage import Folder
from tests.training.tiny import LENGTH, VOCAB_SIZE, make_config, make_job
from training.data.reader import Batch
from training.errors import DataError
from training.launch import LaunchOptions, launch_local
from training.logs.metrics import read_metrics
from training.loop import train_rank
from training.models.build import build_model, check_uses_all, speed_up
from training.models.precision import LossScale
from training.optim import make_optimizer
from training.step import Stepper
from training.strategies.single import Single
from training.trial import try_out

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}

DROPOUT = ModelConfig(architecture="gpt2", config=SIZES)
"""gpt2's own defaults: 0.1 after the embeddings, in attention and after each block."""


def build(config: ModelConfig) -> Any:
    return build_model(config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=1)


MODEL: Any = build(DROPOUT)


def change(ids: list[int], seed: int = 1, step: int = 3, **changes: Any) -> torch.Tensor:
    """What a step of SGD with rate 1 changes: the mean gradient of these sequences."""
    config = make_config(
        optimizer="sgd", schedule="constant", learning_rate=1.0, warmup_steps=0, clip_norm=1e9, seed=seed,
        **changes,
    )  # fmt: skip
    model = deepcopy(MODEL)
    speed_up(model, config)
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    rows = np.stack([np.random.default_rng(i).integers(0, VOCAB_SIZE, LENGTH, dtype=np.int32) for i in ids])
    lengths = np.full(len(ids), LENGTH, dtype=np.int32)
    batch = Batch(step, np.array(ids), rows.astype(np.uint16), lengths)
    stepper = Stepper(
        model, make_optimizer(model, config), Single(), config, 8 * (LENGTH - 1), LossScale(), draws=True
    )
    stepper.step(batch, 0.0)
    return before - torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(scope="module")
def whole() -> torch.Tensor:
    """The mean gradient of eight sequences."""
    return change(list(range(8)), micro_batch_size=8)


@pytest.mark.parametrize("size", [1, 3, 16])
def test_dropout_does_not_depend_on_the_micro_batch(whole: torch.Tensor, size: int) -> None:
    torch.testing.assert_close(change(list(range(8)), micro_batch_size=size), whole, rtol=1e-5, atol=1e-7)


def test_dropout_does_not_depend_on_the_order_or_the_number_of_ranks(whole: torch.Tensor) -> None:
    # Each part is divided by its own targets: three ranks' sums, weighed by their sequences.
    parts = [[5, 1, 3], [0, 7], [6, 2, 4]]
    together = sum(len(ids) * change(ids) for ids in parts) / 8
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=1e-6)


def test_dropout_is_another_one_in_each_step_and_for_each_seed_and_sequence(whole: torch.Tensor) -> None:
    ids = list(range(8))
    for other in (change(ids, step=4), change(ids, seed=2)):
        assert float((other - whole).norm()) > 0.01 * float(whole.norm())


def test_recomputed_activations_have_the_same_dropout(whole: torch.Tensor) -> None:
    again = change(list(range(8)), activation_checkpointing=True)
    torch.testing.assert_close(again, whole, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ranks_train_with_dropout_as_one_does(tmp_path: Path) -> None:
    losses = []
    for ranks, size in ((1, 8), (2, 3)):
        config = make_config(steps=4, micro_batch_size=size, num_ranks=ranks, validate_every=0)
        job = make_job(tmp_path / str(ranks), config, DROPOUT)
        if ranks == 1:
            train_rank(job)
        else:
            launch_local(train_rank, ranks, args=(job,), options=LaunchOptions(say=lambda line: None))
        losses.append([line["loss"] for line in read_metrics(Folder(job.checkpoint_dir))])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_it_is_found_out_and_nothing_is_disturbed() -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    assert try_out(MODEL, LENGTH) is True
    quiet = build(
        ModelConfig(
            architecture="gpt2",
            config=SIZES | dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0),
        )
    )  # fmt: skip
    torch.set_rng_state(states[0])
    assert try_out(quiet, LENGTH) is False
    assert MODEL.training
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]  # type: ignore[index]


class _Wrapped(torch.nn.Module):
    """A language model with something around its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = build(ModelConfig(config=SIZES | {"intermediate_size": 32, "num_key_value_heads": 2}))
        self.config = self.inner.config

    def forward(self, input_ids: torch.Tensor, use_cache: bool) -> Any:
        found = self.inner(input_ids=input_ids, use_cache=use_cache)
        found.logits = self.change(found.logits)
        return found

    def change(self, logits: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class _SeesOthers(_Wrapped):
    def change(self, logits: torch.Tensor) -> torch.Tensor:
        return logits + 0.1 * logits.mean(0, keepdim=True)


class _SeesLater(_Wrapped):
    def change(self, logits: torch.Tensor) -> torch.Tensor:
        return logits + 0.1 * logits.mean(1, keepdim=True)


class _Remembers(_Wrapped):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(VOCAB_SIZE)

    def change(self, logits: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(logits.transpose(1, 2))
        return normed.transpose(1, 2)


class _PythonDraws(_Wrapped):
    def change(self, logits: torch.Tensor) -> torch.Tensor:
        return logits * (1 + 0.1 * random.random()) if self.training else logits


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (_SeesOthers, "says something else of a sequence where others are computed beside it"),
        (_SeesLater, "looks at the tokens that it is to predict"),
        (_Remembers, "changes its own state 'norm.running_mean' with every batch"),
    ],
)
def test_models_that_cannot_keep_the_law_are_refused(kind: type[_Wrapped], words: str) -> None:
    model = kind()
    with pytest.raises(DataError, match=words):
        try_out(model, LENGTH)
    assert model.training


def test_draws_of_python_count_too() -> None:
    assert try_out(_PythonDraws(), LENGTH) is True


def test_a_bidirectional_architecture_is_refused() -> None:
    with pytest.raises(DataError, match=r"'bert' model .* looks at the tokens that it is to predict"):
        try_out(build(ModelConfig(architecture="bert", config=SIZES | {"intermediate_size": 32})), LENGTH)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dtype": "bfloat16"}, "model.config.dtype = 'bfloat16': weights, .* float32; .* train.precision"),
        ({"torch_dtype": "float16"}, "train.precision"),
        ({"hidden_size": -16}, "cannot make a 'llama' model"),
        ({"hidden_act": "nothing"}, "cannot make a 'llama' model"),
    ],
)
def test_weights_are_float32_or_the_model_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        build(ModelConfig(config=SIZES | {"intermediate_size": 32, "num_key_value_heads": 2} | settings))


def test_layers_that_are_dropped_do_not_go_with_ranks_that_wait_for_all() -> None:
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model("opt", vocab_size=50, hidden_size=16, ffn_dim=16, num_hidden_layers=1,
                             num_attention_heads=2, max_position_embeddings=16, layerdrop=0.1,
                             word_embed_proj_dim=16)
    )  # fmt: skip
    check_uses_all(model, StrategyConfig(name="ring").chosen)
    with pytest.raises(DataError, match=r"layerdrop = 0.1 drops whole layers .* ring"):
        check_uses_all(model, StrategyConfig(name="ddp").chosen)


def test_a_start_from_a_folder_says_how_it_is_trained_now(tmp_path: Path) -> None:
    first = make_job(tmp_path / "first", make_config(steps=1, warmup_steps=0, document_mask=True))
    train_rank(first)
    second = make_job(
        tmp_path / "second", make_config(steps=1, warmup_steps=0), ModelConfig(pretrained=first.model_dir)
    )
    train_rank(second)
    found = [AutoConfig.from_pretrained(job.model_dir).to_dict()["document_mask"] for job in (first, second)]
    assert found == [True, False]
