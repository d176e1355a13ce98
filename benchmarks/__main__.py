"""`python -m benchmarks [NAME] [OPTIONS]`: runs a benchmark by name, the main job if none is named."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = (
    "main_job",
    "strategies",
    "launch",
    "loader",
    "recovery",
    "clean_kernels",
    "gpu",
    "filters",
    "minhash",
    "signatures",
    "warc",
    "scale",
    "size",
    "metadata",
    "extract",
    "tokenize_pack",
    "ingest",
    "inference",
    "hostile",
    "peers",
    "compare_rate",
    "daily",
)
"""Modules of this folder; each has a `main`."""


def main(argv: list[str]) -> int:
    """Runs the benchmark named first, else the main job, with the rest of the arguments."""
    name, rest = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else (BENCHMARKS[0], argv)
    if name not in BENCHMARKS:
        sys.stderr.write(f"there is no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}\n")
        return 2
    code: int = importlib.import_module(f"benchmarks.{name}").main(rest)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
