"""The command `ringlake` as scripts use it: a process of its own, its output and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SMALL_RUN: dict[str, Any] = {
    "name": "small",
    "spark": {"master": "local[2]", "driver_memory": "1g"},
    "ingest": {"format": "jsonl"},
    "dedup": {"validation_fraction": 0.1},
    "tokenize": {"vocab_size": 512},
    "pack": {"sequence_length": 64, "rows_per_group": 32, "rows_per_file": 128},
    "model": {
        "config": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        }
    },
    "train": {
        "steps": 24,
        "global_batch_size": 8,
        "warmup_steps": 2,
        "validate_every": 12,
        "validate_sequences": 16,
        "checkpoint_every": 4,
        "log_every": 4,
    },
    "generate": {"prompts": ["Return the"], "max_new_tokens": 8},
}
"""A whole job that two cores finish in about a minute: real stages on a small corpus and a tiny model."""


def write_run(path: Path, *inputs: Path, **changes: Any) -> Path:
    """Writes a run file: SMALL_RUN on the inputs, whole sections replaced by keyword."""
    tree = {**SMALL_RUN, **changes}
    tree["ingest"] = {**tree["ingest"], "inputs": [str(item) for item in inputs]}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def environment(**changes: str) -> dict[str, str]:
    """The environment of a process that is no part of the running Spark session."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK_", "SPARK_"))
    } | changes


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "pipelines.cli.main", *map(str, args)]


def ringlake(
    *args: str | Path, code: int = 0, timeout: float = 600, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with `env` besides the other variables, and asserts its exit code."""
    done = subprocess.run(
        command(*args),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, (
        f"exit code {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr[-6000:]}"
    )
    return done


def status(lake: Path) -> dict[str, Any]:
    """What `ringlake status --json` says."""
    value = json.loads(ringlake("status", lake, "--json").stdout)
    assert isinstance(value, dict)
    return value
