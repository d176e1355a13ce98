"""What `compare` found, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.cli.tabulate import table
from pipelines.console.console import printable


def shown(result: Mapping[str, Any], out: str) -> str:
    """Recipes and verdict."""
    header = ["recipe", "run file", "corpus", "training tokens", "bits per byte", "by seed"]
    rows = []
    for letter, recipe in result["recipes"].items():
        scored = result["bits_per_byte"][letter]
        rows.append(
            [
                letter,
                printable(recipe["run_file"]),
                f"{recipe['documents']['corpus']:,}",
                f"{recipe['training_tokens']:,}",
                f"{scored['mean']:.4f}",
                " ".join(f"{value:.4f}" for value in scored["by_seed"]),
            ]
        )
    lines = [table(header, rows, right={2, 3, 4}), ""]
    lines += [pair["told"] for pair in result["pairs"]]
    texts = result["held_out"]["texts"]
    lines.append(
        f"verdict: {result['verdict']} (confidence {result['confidence']:g}, {result['seeds']} seeds, "
        f"{texts:,} held-out texts)"
    )
    lines.append(f"{out}/compare.json, {out}/compare.html")
    return "\n".join(lines)
