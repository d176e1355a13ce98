"""Trains the tiny job through the real stage on local[4] with 1, 2 and 4 ranks; run by test_parity.py.

Usage: python -m tests.training.parity FOLDER
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conf.evaluate import EvaluateConfig
from conf.spark import SparkConfig
from pipelines.session import open_session
from tests.training.tiny import MODEL, make_config, make_snapshots, make_tokenizer
from training.start import evaluate_model, train_model

RANKS = (1, 2, 4)

STEERED = {
    "validate_every": 2,
    "min_delta": 5.0,
    "plateau": {"patience": 2, "factor": 0.5},
    "patience": 5,
    "export": "best",
    "precision": "fp16",
}
"""No loss falls by 5 nats: the rate is halved after 6 and 10 steps, and training stops after 12."""


def main(folder: Path) -> None:
    """Leave checkpoints and models in FOLDER/RANKS and FOLDER/steered, and results.json."""
    tokenizer = make_tokenizer(folder / "tokenizer")
    train, validation = make_snapshots(folder / "sequences", tokenizer)
    spark = open_session(SparkConfig(master="local[4]", driver_memory="1g", shuffle_partitions=4), "parity")
    results: dict[str, Any] = {}
    runs = {
        **{str(num_ranks): make_config(num_ranks=num_ranks) for num_ranks in RANKS},
        "steered": make_config(num_ranks=2, **STEERED),
    }
    for name, config in runs.items():
        place = folder / name
        lines: list[str] = []
        result = train_model(
            spark,
            MODEL,
            config,
            train,
            validation,
            tokenizer,
            place / "checkpoints",
            place / "model",
            lines.append,
        )
        results[name] = {"train": result.details(), "lines": lines}
        if name != "steered":
            score = evaluate_model(
                spark, EvaluateConfig(batch_size=4), config, validation, place / "model", lines.append
            )
            means = {"loss": score.loss, "bits_per_byte": score.bits_per_byte}
            results[name]["score"] = asdict(score) | means
    spark.stop()
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
