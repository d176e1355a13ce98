"""Plain gradient descent on the tiny model: what local_sgd with H = 1 must share with the ring."""

from __future__ import annotations

from typing import Any

from tests.training.tiny import LENGTH, VOCAB_SIZE
from training.job import TrainJob


def run_descent(job: TrainJob) -> dict[str, Any]:
    """20 steps of torch's SGD with Stepper and strategy of the job; losses and final parameters."""
    import torch

    from training.data.reader import SequenceReader
    from training.data.schedule import training_schedule
    from training.models.build import build_model
    from training.models.precision import LossScale
    from training.step import Stepper
    from training.strategies import make_strategy

    config = job.config.model_copy(update={"clip_norm": 1e9, "learning_rate": 0.1})
    strategy = make_strategy(config.strategy)
    model: Any = build_model(
        job.model, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=config.seed
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    strategy.broadcast([parameter.data for parameter in model.parameters()])
    strategy.start(model, optimizer)
    targets = job.plan.global_batch_size * (LENGTH - 1)
    stepper = Stepper(model, optimizer, strategy, config, targets, LossScale())
    schedule = training_schedule(job.plan, strategy.rank, strategy.world_size, 0, config.steps)
    with SequenceReader(job.train, schedule, VOCAB_SIZE) as reader:
        losses = [stepper.step(batch, 0.0).loss for batch in reader]
    return {
        "losses": losses,
        "theta": torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).tolist(),
    }
