"""Strategies side by side: step time, bytes and loss of the main job's model on synthetic tokens.

python -m benchmarks strategies                    2 ranks, 100 steps each
python -m benchmarks strategies --ranks 4 --steps 50 --only ring,ring-overlap
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from benchmarks.machine import describe
from conf import DEFAULT_RUN, load
from conf.learn import ModelConfig, TrainConfig
from conf.model import SparkConfig
from conf.strategy import StrategyConfig

VARIANTS: dict[str, dict[str, Any]] = {
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
VOCAB_SIZE, LENGTH = 512, 128


def main(argv: list[str]) -> int:
    """Runs the variants one after the other and prints a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks strategies", description=__doc__)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1, help="times that each variant runs; the best counts")
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
            row = measure(spark, VARIANTS[name], options.ranks, options.steps)
            took = time.perf_counter() - began
            sys.stderr.write(f"{name}: {row['step_ms']:.1f} ms a step, {took:.0f} s with its launch\n")
            if name not in rows or row["step_ms"] < rows[name]["step_ms"]:
                rows[name] = row
    spark.stop()
    if options.json:
        sys.stdout.write(json.dumps({"strategies": rows, "machine": machine}, indent=1) + "\n")
        return 0
    for name, row in rows.items():
        cells = "  ".join(f"{key} {value:,.2f}" for key, value in row.items())
        sys.stdout.write(f"{name:18} {cells}\n")
    sys.stdout.write(json.dumps(machine) + "\n")
    return 0


def measure(spark: Any, section: dict[str, Any], ranks: int, steps: int) -> dict[str, float]:
    """Median step time, share of it outside the model, bytes a step and loss of one variant."""
    from training.launch import launch

    run = load(DEFAULT_RUN)
    strategy = StrategyConfig(**section)
    config = run.train.model_copy(
        update={"steps": steps, "strategy": strategy, "validate_every": steps, "checkpoint_every": steps}
    )
    found = launch(
        _train,
        ranks + strategy.num_servers,
        spark=spark,
        args=(config, run.model),
        threads_per_rank=1,
        say=lambda line: sys.stderr.write(line + "\n"),
    )[0]
    return {
        "step_ms": 1000 * statistics.median(found["seconds"][WARM_UP_STEPS:]),
        "mb_per_step": sum(found["bytes"]) / steps / 1e6,
        "loss": statistics.fmean(found["losses"][-5:]),
    }


def _train(config: TrainConfig, model_config: ModelConfig) -> dict[str, Any]:
    """A rank: Stepper and strategy as in training, without reader and log."""
    import numpy as np

    from training.data.reader import Batch
    from training.model import build_model
    from training.optim import make_optimizer
    from training.precision import LossScale
    from training.step import Stepper
    from training.strategies import is_server, make_strategy, serve

    if is_server(config.strategy):
        return serve(config)
    strategy = make_strategy(config.strategy)
    model = build_model(
        model_config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=config.seed
    )
    optimizer = make_optimizer(model, config)
    strategy.broadcast([parameter.data for parameter in model.parameters()])
    strategy.start(model, optimizer)
    rows = config.global_batch_size
    stepper = Stepper(model, optimizer, strategy, config, rows * (LENGTH - 1), LossScale())
    seconds, sent, losses = [], [], []
    for step in range(config.steps):
        # Every rank makes the whole batch and takes its share: it is the same for any number of ranks.
        generator = np.random.default_rng(step)
        tokens = np.empty((rows, LENGTH), dtype=np.int32)
        tokens[:, 0] = generator.integers(0, VOCAB_SIZE, rows)
        for position in range(1, LENGTH):
            noise = generator.integers(0, VOCAB_SIZE, rows)
            follow = (tokens[:, position - 1] * 5 + 3) % VOCAB_SIZE
            tokens[:, position] = np.where(generator.random(rows) < 0.8, follow, noise)
        mine = np.arange(strategy.rank, rows, strategy.world_size)
        batch = Batch(step, mine, tokens[mine], np.full(len(mine), LENGTH, dtype=np.int32))
        began = time.perf_counter()
        result = stepper.step(batch, 0.0, settle=step == config.steps - 1)
        seconds.append(time.perf_counter() - began)
        sent.append(strategy.metrics()["sent_bytes"])
        losses.append(result.loss)
    strategy.close()
    return {"seconds": seconds, "bytes": sent, "losses": losses}
