"""What ranks tell the driver is read there without torch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from training.outcome import Score, Served, Totals, Trained

ROOT = Path(__file__).resolve().parents[2]

OUTCOMES = (
    Trained(
        Totals(step=3, loss=0.5),
        best_validation_loss=0.25,
        best_step=2,
        stopped_early=True,
        parameters=7,
        flops_per_token=42.0,
        resumed_from=1,
        num_ranks=2,
    ),
    Served(updates=3),
    Score(nats=6.0, num_targets=3, num_bytes=2, num_sequences=1),
)


def test_the_driver_reads_it_without_torch() -> None:
    program = (
        "import pickle, sys; print(repr(pickle.load(sys.stdin.buffer))); import training.start; "
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        input=pickle.dumps(OUTCOMES),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().splitlines() == [repr(OUTCOMES), "[]"]
