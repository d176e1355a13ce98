"""Strategies side by side: step time, its parts, bytes and loss of the main job's model on synthetic tokens.

python -m benchmarks strategies                    2 ranks, 100 steps each
python -m benchmarks strategies --ranks 4 --steps 50 --only ring,ring-overlap

`torch-ddp` is the peer: a loop of a few lines around torch's DistributedDataParallel, nothing of ours in it
but model, optimizer and launch. `single` is one rank, with one thread as others, on the same global batch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from typing import Any

from benchmarks.machine import describe
from conf import DEFAULT_RUN, load
from conf.model import ModelConfig
from conf.spark import SparkConfig
from conf.strategy import StrategyConfig
from conf.train import TrainConfig

PEER = "torch-ddp"

VARIANTS: dict[str, dict[str, Any]] = {
    "single": {"name": "single"},
    PEER: {"name": "ddp"},
    "ring": {"name": "ring"},
    "ring-overlap": {"name": "ring", "ring": {"overlap": True, "bucket_mib": 1}},
    "ring-fp16": {"name": "ring", "ring": {"compression": "fp16"}},
    "ring-cycle-1ms": {"name": "ring", "ring": {"cycle_ms": 1}},
    "ddp": {"name": "ddp"},
    "server-sync": {"name": "parameter_server"},
    "server-async": {"name": "parameter_server", "parameter_server": {"mode": "async"}},
    "local-10": {"name": "local_sgd", "local_sgd": {"local_steps": 10}},
    "local-10-nesterov": {"name": "local_sgd", "local_sgd": {"local_steps": 10, "outer": "nesterov"}},
}
WARM_UP_STEPS = 10
COLUMNS = ("step_ms", "compute_ms", "exchange_ms", "mb_per_step", "loss")
VOCAB_SIZE, LENGTH = 512, 128


def main(argv: list[str]) -> int:
    """Runs the variants one after the other and prints a table, or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks strategies",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument(
        "--rounds", type=int, default=1, help="times that all variants run, in turn; the best of each counts"
    )
    parser.add_argument("--only", default=",".join(VARIANTS), help="names of variants, with commas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    machine = describe()
    rows: dict[str, dict[str, Any]] = {}
    from pipelines.session import open_session

    session = SparkConfig(master=f"local[{options.ranks + 1}]", driver_memory="1g", shuffle_partitions=2)
    spark = open_session(session, "strategies")
    for _ in range(options.rounds):
        for name in options.only.split(","):
            began = time.perf_counter()
            row = measure(spark, name, 1 if name == "single" else options.ranks, options.steps)
            took = time.perf_counter() - began
            sys.stderr.write(f"{name}: {row['step_ms']:.1f} ms a step, {took:.0f} s with its launch\n")
            if name not in rows or row["step_ms"] < rows[name]["step_ms"]:
                rows[name] = row
    spark.stop()
    if options.json:
        sys.stdout.write(json.dumps({"strategies": rows, "machine": machine}, indent=1) + "\n")
        return 0
    sys.stdout.write(f"{'':18}" + "".join(f"{column:>16}" for column in ("against peer", *COLUMNS)) + "\n")
    for name, row in rows.items():
        ratio = f"{row['step_ms'] / rows[PEER]['step_ms']:.3f}" if PEER in rows else "-"
        cells = "".join(f"{row[column]:16,.2f}" if column in row else f"{'-':>16}" for column in COLUMNS)
        sys.stdout.write(f"{name:18}{ratio:>16}{cells}\n")
    sys.stdout.write(json.dumps(machine) + "\n")
    return 0


def measure(spark: Any, name: str, ranks: int, steps: int) -> dict[str, float]:
    """Median step time of one variant, what of it was computing and exchange, bytes a step and loss."""
    from training.launch import LaunchOptions, launch

    run = load(DEFAULT_RUN)
    strategy = StrategyConfig(**VARIANTS[name])
    config = run.train.model_copy(
        update={"steps": steps, "strategy": strategy, "validate_every": steps, "checkpoint_every": steps}
    )
    found = launch(
        _train_plainly if name == PEER else _train,
        ranks + strategy.chosen.num_servers,
        spark=spark,
        args=(config, run.model),
        options=LaunchOptions(threads_per_rank=1, say=lambda line: print(line, file=sys.stderr)),
    )[0]
    row = {
        f"{part}_ms": 1000 * statistics.median(found[part][WARM_UP_STEPS:])
        for part in ("step", "compute", "exchange")
        if part in found
    }
    if "bytes" in found:
        row["mb_per_step"] = sum(found["bytes"]) / steps / 1e6
    return {**row, "loss": statistics.fmean(found["losses"][-5:])}


def _train(config: TrainConfig, model_config: ModelConfig) -> dict[str, Any]:
    """A rank: Stepper and strategy as in training, without reader and log."""
    import numpy as np

    from training.data.reader import Batch
    from training.models.build import build_model
    from training.models.precision import LossScale
    from training.optim import make_optimizer
    from training.step import Stepper
    from training.strategies import is_server, make_strategy, serve

    if is_server(config.strategy):
        serve(config)
        return {}
    strategy = make_strategy(config.strategy)
    model = build_model(
        model_config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=config.seed
    )
    optimizer = make_optimizer(model, config)
    strategy.broadcast([parameter.data for parameter in model.parameters()])
    strategy.start(model, optimizer)
    targets = _batch_rows(config) * (LENGTH - 1)
    stepper = Stepper(model, optimizer, strategy, config, targets, LossScale())
    found: dict[str, list[float]] = {"step": [], "compute": [], "exchange": [], "bytes": [], "losses": []}
    for step in range(config.steps):
        mine, tokens = _share(config, step, strategy.rank, strategy.world_size)
        batch = Batch(step, mine, tokens, np.full(len(mine), LENGTH, dtype=np.int32))
        began = time.perf_counter()
        result = stepper.step(batch, 0.0, settle=step == config.steps - 1)
        found["step"].append(time.perf_counter() - began)
        found["compute"].append(result.compute_seconds)
        found["exchange"].append(result.communication_seconds)
        found["bytes"].append(strategy.metrics()["sent_bytes"])
        found["losses"].append(result.loss)
    strategy.close()
    return found


def _train_plainly(config: TrainConfig, model_config: ModelConfig) -> dict[str, Any]:
    """A rank of the peer: DistributedDataParallel as its tutorial has it, Gloo, AdamW, clipping."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.parallel import DistributedDataParallel

    from training.models.build import build_model
    from training.optim import learning_rate, make_optimizer
    from training.strategies.group import join_group

    rank, world_size = join_group()
    model = build_model(
        model_config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=config.seed
    )
    wrapped = DistributedDataParallel(model)
    # The default run file's AdamW, and its schedule. The loss kept here is that of this rank's rows alone.
    optimizer = make_optimizer(model, config)
    found: dict[str, list[float]] = {"step": [], "losses": []}
    for step in range(config.steps):
        _, tokens = _share(config, step, rank, world_size)
        began = time.perf_counter()
        total = 0.0
        for low in range(0, len(tokens), config.micro_batch_size):
            ids = torch.from_numpy(tokens[low : low + config.micro_batch_size]).long()
            last = low + config.micro_batch_size >= len(tokens)
            with contextlib.nullcontext() if last else wrapped.no_sync():
                logits = wrapped(input_ids=ids[:, :-1], use_cache=False).logits
                part = len(ids) / len(tokens)
                loss = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()) * part
                loss.backward()
            total += float(loss.detach())
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found["step"].append(time.perf_counter() - began)
        found["losses"].append(total)
    return found


def _share(config: TrainConfig, step: int, rank: int, world_size: int) -> tuple[Any, Any]:
    """Numbers and tokens of a rank's rows of a global batch, which is the same for any number of ranks."""
    import numpy as np

    rows = _batch_rows(config)
    generator = np.random.default_rng(step)
    tokens = np.empty((rows, LENGTH), dtype=np.int32)
    tokens[:, 0] = generator.integers(0, VOCAB_SIZE, rows)
    for position in range(1, LENGTH):
        noise = generator.integers(0, VOCAB_SIZE, rows)
        follow = (tokens[:, position - 1] * 5 + 3) % VOCAB_SIZE
        tokens[:, position] = np.where(generator.random(rows) < 0.8, follow, noise)
    mine = np.arange(rank, rows, world_size)
    return mine, tokens[mine]


def _batch_rows(config: TrainConfig) -> int:
    if config.global_batch_size is None:
        raise ValueError("the default run file gives its batch in tokens; this benchmark needs sequences")
    return config.global_batch_size
