"""What the model learned: curves of the training run, evaluation, samples; tolerant of what is not there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from conf.urls import without_secrets
from pipelines.lake import Lake, RunRecord
from pipelines.lake.paths import read_json
from pipelines.report.exchange import staleness, traffic
from pipelines.report.facts import Curve, ModelScore, Sample, Scores, Training
from pipelines.report.points import curve, finite
from pipelines.text import display
from ringlake.base.storage import Folder
from training.logs.metrics import METRICS_FILE, read_metrics

MAX_METRICS_BYTES = 256 * 2**20
"""Largest metrics file that is read: a million steps with ten values each take about half of it."""

FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("parameters", lambda value: display.count(int(value))),
    "steps": ("steps", lambda value: display.count(int(value))),
    "epochs": ("epochs", lambda value: display.decimal(value, 2)),
    "sequences_used": ("sequences", lambda value: display.count(int(value))),
    "tokens": ("tokens", lambda value: display.count(int(value))),
    "num_ranks": ("ranks", lambda value: display.count(int(value))),
    "seconds": ("time in steps", display.duration),
    "tokens_per_second": ("tokens a second", lambda value: display.count(round(value))),
    "data_wait_share": ("waiting for data", lambda value: display.share(value, 1)),
    "communication_share": ("communicating", lambda value: display.share(value, 1)),
    "tflops": ("model TFLOP/s", lambda value: display.decimal(value, 3)),
    "loss": ("training loss", display.decimal),
    "validation_loss": ("validation loss", display.decimal),
    "best_validation_loss": ("best validation loss", display.decimal),
    "best_step": ("best step", lambda value: display.count(int(value))),
    "resumed_from": ("resumed from step", lambda value: display.count(int(value))),
}
"""What the details of a training run hold (see `training.start.TrainResult`), with label and form."""


def training(lake: Lake, run: RunRecord | None) -> Training | None:
    """The curves of the newest training run; a metrics file that cannot be read is said, never fatal."""
    if run is None:
        return None
    figures = _figures(run.details)
    none = Curve((), ())
    try:
        points = read_metrics(_metrics_folder(lake, run.details))
    except (OSError, ValueError) as error:
        return Training(none, none, none, none, figures, problem=f"the curves cannot be drawn: {error}")
    return Training(
        loss=curve(points, "loss"),
        validation=curve(points, "validation_loss"),
        throughput=curve(points, "tokens_per_second"),
        waiting=curve(points, "data_wait_share"),
        figures=figures,
        staleness=staleness(points, run.config),
        traffic=traffic(points),
    )


SCORED = {"model": "model", "before": "before training", "bigram": "bigram", "unigram": "unigram"}
"""What evaluation.json has scores of, and how the page calls it."""


def evaluation(lake: Lake) -> Scores | None:
    """The scores of evaluation.json."""
    if not lake.evaluation.exists():
        return None
    value = read_json(lake.evaluation)
    scores = []
    for key, name in SCORED.items():
        row = value.get(key)
        if isinstance(row, dict):
            loss = finite(row.get("loss"))
            perplexity = math.exp(loss) if loss is not None and loss < 700 else None
            scores.append(ModelScore(name, finite(row.get("bits_per_byte")), loss, perplexity))
    return Scores(
        scores=tuple(scores),
        below_bigram=finite(value.get("below_bigram")),
        targets=finite(value.get("targets"), int),
        num_bytes=finite(value.get("bytes"), int),
    )


def samples(lake: Lake) -> tuple[Sample, ...]:
    """The samples of samples.json."""
    if not lake.samples.exists():
        return ()
    return tuple(Sample(str(row["prompt"]), str(row["text"])) for row in read_json(lake.samples))


def _metrics_folder(lake: Lake, details: Mapping[str, Any]) -> Folder:
    named = details.get("metrics")
    if not isinstance(named, str):
        raise ValueError("the training run names no metrics file")
    root = lake.location
    if not lake.root.is_local:
        # The ledger has the place without secrets, which opening it needs.
        shown = without_secrets(root)
        inside = named.startswith(f"{shown}/") and ".." not in named.split("/")
        path = root + named.removeprefix(shown)
    else:
        resolved = (lake.root.local_path / named).resolve()
        inside, path = resolved.is_relative_to(lake.root.local_path.resolve()), str(resolved)
    parent, _, name = path.rpartition("/")
    if name != METRICS_FILE or not inside:
        raise ValueError(f"{named} is no {METRICS_FILE} inside the lake {root}")
    folder = Folder(parent)
    size = folder.size(name)
    if size > MAX_METRICS_BYTES:
        raise ValueError(f"{named} has {size:,} bytes, more than the {MAX_METRICS_BYTES:,} that are read")
    return folder


def _figures(details: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What training measured, in the order of `FIGURES`, as far as it is there."""
    return tuple(
        (label, form(number))
        for key, (label, form) in FIGURES.items()
        if (number := finite(details.get(key))) is not None
    ) + _mixture(details.get("tables"))


def _mixture(tables: Any) -> tuple[tuple[str, str], ...]:
    """What a mixture took of each table, see `training.sources.Sources.account`; nothing for one table."""
    if not isinstance(tables, list) or len(tables) < 2:
        return ()
    rows = []
    for table in tables:
        sequences, passes, weight = (finite(table.get(key)) for key in ("sequences", "passes", "weight"))
        if sequences is None or passes is None or weight is None:
            continue
        taken = f"{display.count(int(sequences))} sequences, {display.decimal(passes, 2)} passes"
        rows.append(
            (f"of {table.get('table')}, version {table.get('version')}", f"{taken}, weight {weight:g}")
        )
    return tuple(rows)
