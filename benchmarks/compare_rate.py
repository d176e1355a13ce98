"""How often `ringlake compare` calls recipes different that are not: many comparisons with tiny models.

Two recipes cut other documents from the same corpus (`mix.seed`), and differ in nothing that makes a better
model. At a confidence of 0.95 one comparison in twenty may give a verdict.

    python -m benchmarks compare_rate --corpus corpus.jsonl --repetitions 20 --out rate
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

RUN: dict[str, Any] = {
    "spark": {"master": "local[2]", "driver_memory": "1g"},
    "tokenize": {"vocab_size": 512},
    "pack": {"sequence_length": 64},
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
    "train": {"num_ranks": 1, "global_batch_size": 8, "validate_every": 0, "checkpoint_every": 0},
}
"""What both recipes are, but for their cut."""


def main(argv: list[str]) -> int:
    """Runs the comparisons that are not there yet, and prints how many gave a verdict."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare_rate", description=__doc__)
    parser.add_argument("--corpus", required=True, help="JSONL with a field text")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--budget", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    found = [_once(given, number) for number in range(given.repetitions)]
    wrong = sum(result["verdict"] != "no difference" for result in found)
    allowed = 1 - found[0]["confidence"]
    # How likely so many or more are if each comes with the promised rate.
    chance = sum(
        math.comb(len(found), count) * allowed**count * (1 - allowed) ** (len(found) - count)
        for count in range(wrong, len(found) + 1)
    )
    line = {
        "repetitions": len(found),
        "verdicts": wrong,
        "promised_rate": round(allowed, 6),
        "chance_of_so_many": round(chance, 4),
        "differences": [round(result["difference_bits_per_byte"], 5) for result in found],
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if chance > 0.01 else 1


def _once(given: argparse.Namespace, number: int) -> dict[str, Any]:
    """One comparison, kept under its number.

    All are made in one folder: what they share, up to `tokenize`, is there from the second one on.
    """
    kept: Path = given.out / f"{number:03d}.json"
    if not kept.is_file():
        kept.write_text(_compared(given, number), encoding="utf-8")
    result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    sys.stderr.write(f"{number}: {result['pairs'][0]['told']}\n")
    return result


def _compared(given: argparse.Namespace, number: int) -> str:
    files = []
    for place, name in enumerate(("a", "b")):
        tree = {
            **RUN,
            "ingest": {"inputs": [str(Path(given.corpus).resolve())], "format": "jsonl"},
            "mix": {"groups": [{"name": "all"}], "seed": 2 * number + place},
        }
        tree["train"] = {**RUN["train"], "seed": 1 + number * given.seeds}
        files.append(given.out / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(tree), encoding="utf-8")
    command = [sys.executable, "-m", "pipelines.cli.main", "compare", *map(str, files), "--json"]
    for name in ("budget", "seeds"):
        command += [f"--{name}", str(getattr(given, name))]
    done = subprocess.run(
        [*command, "--out", str(given.out / "comparison")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
