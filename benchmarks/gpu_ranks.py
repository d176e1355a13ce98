"""What the ranks of the GPU benchmark do: train with our loop, train with a plain one, sum over a ring."""

from __future__ import annotations

import time
from typing import Any

from training.job import TrainJob

PROFILED_STEPS = 3

TOP_KERNELS = 25


def train_ours(job: TrainJob, warm_up: int) -> dict[str, Any]:
    """The training loop as it is, with its reader and its log.

    Of the job's steps the first `warm_up` are not counted, and the last `PROFILED_STEPS` go through the
    profiler instead. The time of the others is that from the start of the first to the start of what follows.

    Returns:
        Tokens a second, model FLOP a token, the peak of the device, the kernels, and facts of the training.
    """
    from training import loop, step

    starts: list[float] = []
    found: dict[str, Any] = {}
    stepper: Any = step.Stepper
    original = stepper.step
    profiler: Any = None
    counted = job.config.steps - PROFILED_STEPS

    def stepping(self: Any, batch: Any, wait: float, **more: Any) -> Any:
        nonlocal profiler
        starts.append(time.perf_counter())
        if len(starts) == counted + 1:
            profiler = _profiler()
            profiler.start()
        result = original(self, batch, wait, **more)
        if len(starts) == job.config.steps:
            profiler.stop()
            found["profile"] = _kernels(profiler)
            found["flops"], found["peak"] = _capacity(self, job)
        return result

    stepper.step = stepping
    try:
        trained = loop.train_rank(job)
    finally:
        stepper.step = original
    seconds = starts[counted] - starts[warm_up]
    tokens = trained.totals.tokens / trained.totals.step * (counted - warm_up)
    return {
        **found,
        "tokens_per_second": tokens / seconds,
        "loss": trained.totals.loss,
        "parameters": trained.parameters,
        "data_wait_share": trained.totals.wait_seconds / trained.totals.seconds,
        **_device(),
    }


def train_plainly(job: TrainJob, warm_up: int) -> dict[str, Any]:
    """A loop of a few lines on random tokens that are on the device already: no reader, no log, no checks.

    Model, weights, precision, compilation, micro-batches, optimizer and clipping are those of the job. It has
    the steps of `train_ours` without those that are profiled.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from training.models.build import build_model
    from training.models.precision import autocast

    config = job.config
    length = job.train.sequence_length
    model: Any = build_model(
        job.model, vocab_size=job.vocab_size, sequence_length=length, end_id=0, seed=config.seed
    )
    device = next(model.parameters()).device
    if config.compile:
        model.compile()
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.min_learning_rate,
        betas=(config.beta1, config.beta2),
        fused=True,
    )
    rows = job.plan.global_batch_size
    ids = torch.randint(0, job.vocab_size, (rows, length), device=device)
    size = config.micro_batch_size
    began = time.perf_counter()
    loss = torch.zeros((), device=device)
    steps = config.steps - PROFILED_STEPS
    for step in range(steps):
        if step == warm_up:
            _wait(device)
            began = time.perf_counter()
        for low in range(0, rows, size):
            part = ids[low : low + size]
            with autocast(config.precision, device):
                logits = model(input_ids=part[:, :-1], use_cache=False).logits
                loss = cross_entropy(logits.flatten(0, 1).float(), part[:, 1:].flatten())
            (loss * (len(part) / rows)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    _wait(device)
    seconds = time.perf_counter() - began
    tokens = rows * length * (steps - warm_up)
    return {"tokens_per_second": tokens / seconds, "loss": float(loss.detach())}


def sum_over_the_ring(num_numbers: int, repeats: int) -> dict[str, Any]:
    """Sums a tensor over the ranks with Horovod as the strategy `ring` does, and checks the sum.

    Returns:
        Median seconds of a sum, the backend, and whether each number is the sum of those of the ranks.
    """
    import statistics

    import torch

    from training.launch.ranks import current_backend
    from training.models.build import pick_device
    from training.strategies.ring import Ring

    strategy = Ring()
    device = pick_device()
    numbers = torch.zeros(7, dtype=torch.float64)
    seconds = []
    right = True
    for _ in range(repeats):
        tensor = torch.full((num_numbers,), float(strategy.rank + 1), device=device)
        _wait(device)
        began = time.perf_counter()
        strategy.add_up(tensor, numbers)
        _wait(device)
        seconds.append(time.perf_counter() - began)
        right &= bool((tensor == sum(range(1, strategy.world_size + 1))).all())
    strategy.close()
    return {
        "seconds": statistics.median(seconds),
        "bytes": 4 * num_numbers,
        "backend": current_backend(),
        "right": right,
        **_device(),
    }


def _capacity(stepper: Any, job: TrainJob) -> tuple[float, float | None]:
    """Model FLOP a token, and the device's peak in TFLOP/s if it is known."""
    from training.device import peak_tflops
    from training.models.flops import flops_per_token

    model = stepper._model
    device = next(model.parameters()).device
    flops = flops_per_token(model, job.train.sequence_length - 1)
    return flops, job.config.peak_tflops or peak_tflops(device, job.config.precision)


def _device() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"device": "cpu", "memory_bytes": None}
    return {
        "device": torch.cuda.get_device_name(),
        "memory_bytes": int(torch.cuda.max_memory_allocated()),
        "cuda": torch.version.cuda,
        "nccl": ".".join(map(str, torch.cuda.nccl.version())),
    }


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _profiler() -> Any:
    import torch
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        kinds.append(ProfilerActivity.CUDA)
    return profile(activities=kinds)


def _kernels(profiler: Any) -> list[dict[str, Any]]:
    """Kernels (on a CPU: operators) by their own time, the longest first."""
    import torch

    on_gpu = torch.cuda.is_available()
    rows = []
    for event in profiler.key_averages():
        if on_gpu and "cuda" not in str(event.device_type).lower():
            continue
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        rows.append({"name": event.key, "calls": event.count, "ms": own / 1000})
    total = sum(row["ms"] for row in rows) or 1.0
    rows.sort(key=lambda row: -row["ms"])
    return [{**row, "share": row["ms"] / total} for row in rows[:TOP_KERNELS]]
