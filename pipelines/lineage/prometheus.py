"""Figures of the last run in Prometheus' text format, for the textfile collector of a node exporter."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.lineage.place import Place
from pipelines.lineage.summary import COUNTS
from pipelines.run.story import RunStory, StageStory

_STATES = ("not reached", "running", "succeeded", "up to date", "failed", "interrupted")


class PrometheusWriter:
    """Writes the figures after each stage and at the end.

    Args:
        place: The file; a node exporter wants a name that ends in .prom.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def require(self) -> None:
        """EnvironmentProblem if the file cannot be written."""
        self._place.require()

    def run_begins(self, run: RunStory) -> None:
        """Nothing: the figures of the run before stay until a stage has ended."""

    def stage_begins(self, run: RunStory, stage: StageStory) -> None:
        """Nothing: a stage has figures when it has ended."""

    def stage_ends(self, run: RunStory, stage: StageStory) -> None:
        """Writes what there is."""
        self._place.replace(exposition(run))

    def run_ends(self, run: RunStory) -> None:
        """Likewise."""
        self._place.replace(exposition(run))


def exposition(run: RunStory) -> str:
    """The figures of a run in the text format, version 0.0.4."""
    labels = {"run": run.name}
    lines = [
        *_family("ringlake_run_start_timestamp_seconds", "When the run began.",
                 [(labels, run.started_at.timestamp())]),
        *_family("ringlake_run_seconds", "How long the run took.", [(labels, run.seconds)]),
        *_family("ringlake_run_succeeded", "1 if the run succeeded, 0 if it did not or has not yet.",
                 [(labels, float(run.state == "succeeded"))]),
        *_family("ringlake_stage_state", "1 for the state that a stage is in.",
                 [({**labels, "stage": stage.name, "state": state}, float(stage.state == state))
                  for stage in run.stages for state in _STATES]),
        *_family("ringlake_stage_seconds", "How long a stage took in this run.",
                 [({**labels, "stage": stage.name}, stage.seconds) for stage in run.stages]),
    ]  # fmt: skip
    done = [(stage, stage.record) for stage in run.stages if stage.record is not None]
    lines += _family(
        "ringlake_stage_peak_memory_bytes",
        "Most memory of all processes while a stage ran.",
        [({**labels, "stage": stage.name}, record.peak_memory_mb * 2**20) for stage, record in done],
    )
    lines += _family(
        "ringlake_stage_rows",
        "Rows of a stage by what became of them: in is the sum of the others.",
        [
            (
                {**labels, "stage": stage.name, "unit": record.unit, "rows": name.removeprefix("rows_")},
                float(getattr(record, name)),
            )
            for stage, record in done
            for name in COUNTS
        ],
    )
    return "\n".join(lines) + "\n"


def _family(name: str, meaning: str, samples: list[tuple[dict[str, str], float]]) -> Iterator[str]:
    """The lines of one gauge; none without a sample."""
    if not samples:
        return
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{shown}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
