"""A trial pass before training: does a model keep the law that any number of ranks computes what one does?

The gradient of a global batch is a sum over its sequences only if what a model says of a sequence depends on
nothing else. A model that draws random numbers (dropout, layer drop, router noise) can keep the law: the loop
then computes one sequence at a time, each with draws of its own (`draws_for`). One that looks at other rows,
or keeps a state from batch to batch, cannot. Nor does a model learn to predict that sees the later tokens.

It is tried out instead of looked up: architectures are many, and their settings have many names.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ringlake.base.seeds import Purpose, derive_seed
from training.errors import DataError
from training.tasks.language_model import LanguageModel
from training.tasks.task import Task

_TRIALS = 3
"""Trials that a model has to fail before it is refused: rounding alone may flip the choice of an expert."""

_PREFIX = 6
"""Tokens that both rows of a trial begin with."""


def draws_for(seed: int, step: int, sequence_id: int) -> None:
    """Seed all that a model draws from, for one sequence in one step, the same on every rank.

    Args:
        seed: Seed of the training.
        step: Step, from 0.
        sequence_id: The sequence.
    """
    own = derive_seed(seed, Purpose.DROPOUT, step, sequence_id)
    torch.manual_seed(own)
    # Some architectures drop layers by Python's or NumPy's numbers.
    random.seed(own)
    np.random.seed(own % 2**32)


def try_out(model: Any, sequence_length: int, task: Task | None = None) -> bool:
    """Try a model in training mode; leaves it and all random numbers as they were.

    Args:
        model: A model of transformers, as yet neither compiled nor divided.
        sequence_length: Tokens that it will be given at once, one more than its inputs.
        task: What it is to learn; None: language modelling.

    Returns:
        Whether it draws random numbers in training.

    Raises:
        DataError: It cannot compute, or what it says of a token depends on later tokens, on other rows, or on
            earlier batches.
    """
    task = task or LanguageModel(None, apart=False)
    was_training = model.training
    with _numbers_kept(model):
        model.train()
        try:
            draws = _draws(model, sequence_length, task)
            # Rows of a model that draws are computed alone; without draws its answers can be compared.
            model.train(not draws)
            for trial in range(_TRIALS):
                problem = _problem(model, sequence_length, trial, task)
                if problem is None:
                    return draws
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
            raise DataError(
                f"a {model.config.model_type!r} model of this model.config fails in a trial pass over "
                f"{sequence_length - 1} tokens ({' '.join(str(error).split())[:300]}); change model.config"
            ) from error
        finally:
            model.train(was_training)
    raise DataError(
        f"a {model.config.model_type!r} model of this model.config {problem}; take an architecture or "
        f"settings that do not, for example llama or gpt2"
    )


def _draws(model: Any, sequence_length: int, task: Task) -> bool:
    states = {name: tensor.clone() for name, tensor in model.named_buffers()}
    before = _states()
    _logits(model, _rows(model, sequence_length, 0), task)
    changed = [
        name
        for name, tensor in model.named_buffers()
        if name in states and not torch.equal(tensor, states[name])
    ]
    if changed:
        with torch.no_grad():
            for name, tensor in model.named_buffers():
                if name in states:
                    tensor.copy_(states[name])
        raise DataError(
            f"a {model.config.model_type!r} model of this model.config changes its own state {changed[0]!r} "
            f"with every batch, so it depends on the number of ranks; take one that does not, such as llama"
        )
    return any(not np.array_equal(old, new) for old, new in zip(before, _states(), strict=True))


def _problem(model: Any, sequence_length: int, trial: int, task: Task) -> str | None:
    """What is wrong with a model's answers, or None."""
    rows = _rows(model, sequence_length, trial)
    both, alone = _logits(model, rows, task), _logits(model, rows[:1], task)
    if not _close(both[0], alone[0]):
        return "says something else of a sequence where others are computed beside it"
    if task.is_causal and not _close(both[0, :_PREFIX], both[1, :_PREFIX]):
        return "looks at the tokens that it is to predict (it is no causal model)"
    return None


def _rows(model: Any, sequence_length: int, trial: int) -> torch.Tensor:
    """Two rows that begin alike, of as many tokens as the model gets at once; at most 64 of them."""
    generator = torch.Generator().manual_seed(trial)
    shape = (2, min(sequence_length - 1, 64))
    rows = torch.randint(0, model.config.get_text_config().vocab_size, shape, generator=generator)
    rows[1, :_PREFIX] = rows[0, :_PREFIX]
    return rows.to(next(model.parameters()).device)


def _logits(model: Any, rows: torch.Tensor, task: Task) -> torch.Tensor:
    with torch.no_grad():
        return task.trial(model, rows)


def _close(first: torch.Tensor, second: torch.Tensor) -> bool:
    # As far apart as float32 sums in another order may be, relative to the largest logit.
    scale = float(second.abs().max())
    return bool(torch.allclose(first, second, rtol=1e-4, atol=1e-4 * scale + 1e-6, equal_nan=True))


def _states() -> list[Any]:
    """Where all random numbers stand."""
    kind, keys, place, has_gauss, gauss = np.random.get_state()
    found = [torch.get_rng_state().numpy(), keys, np.array([place]), np.array(random.getstate()[1])]
    del kind, has_gauss, gauss
    if torch.cuda.is_available():
        found.append(torch.cuda.get_rng_state().numpy())
    return found


@contextmanager
def _numbers_kept(model: Any) -> Iterator[None]:
    """Leave all random numbers as they were."""
    device = next(model.parameters()).device
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
