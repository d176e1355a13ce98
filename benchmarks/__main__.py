"""`python -m benchmarks [NAME] [OPTIONS]`: runs a benchmark by name, the main job if none is named."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import main_job, strategies

BENCHMARKS: dict[str, Callable[[list[str]], int]] = {
    "main_job": main_job.main,
    "strategies": strategies.main,
}


def main(argv: list[str]) -> int:
    """Runs the benchmark named first, else the main job, with the rest of the arguments."""
    if argv and not argv[0].startswith("-"):
        if argv[0] not in BENCHMARKS:
            sys.stderr.write(f"there is no benchmark {argv[0]!r}; there are: {', '.join(BENCHMARKS)}\n")
            return 2
        return BENCHMARKS[argv[0]](argv[1:])
    return main_job.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
