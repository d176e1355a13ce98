"""Trainings of a lake while they run and afterwards: their curves and checkpoints, live in a notebook."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ringlake.base.storage import Folder
from ringlake.display import grid, megabytes, panel
from training.checkpoints.identity import checkpoint_place, checkpoint_steps, find_training
from training.checkpoints.manifest import TornError, check_sizes
from training.logs.metrics import METRICS_FILE, read_metrics

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

_CURVES = {"loss": "training", "validation_loss": "validation"}

_MOST_POINTS = 2_000
"""Points of a curve that are drawn: more than a screen has columns."""


@dataclass(frozen=True)
class SavedStep:
    """A checkpoint.

    Attributes:
        step: The step after which it was written.
        num_bytes: Size of its files.
        is_whole: Whether all its files are there, as far as their sizes say.
        loss: Training loss of that step; None if the log has no such line.
        validation_loss: Validation loss of that step; None if it was not validated then.
    """

    step: int
    num_bytes: int
    is_whole: bool
    loss: float | None
    validation_loss: float | None


class SavedSteps(tuple[SavedStep, ...]):
    """The checkpoints of a training, the newest last."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        rows = [
            (saved.step, saved.loss, saved.validation_loss, megabytes(saved.num_bytes), saved.is_whole)
            for saved in self
        ]
        return grid("Checkpoints", ("step", "loss", "validation loss", "size", "whole"), rows)


@dataclass(frozen=True)
class Training:
    """A training that began in a lake; what is told of it is read anew each time.

    Attributes:
        key: Name of its folder of checkpoints.
    """

    key: str
    _folder: Folder = field(repr=False)

    def metrics(self) -> pd.DataFrame:
        """A row a step, as far as it has come: loss, lr, tokens_per_second, all else that training notes."""
        import pandas as pd

        return pd.DataFrame(self._lines())

    def checkpoints(self) -> SavedSteps:
        """Its checkpoints that are there, the newest last."""
        lines = {line.get("step"): line for line in self._lines()}
        found = []
        for step in checkpoint_steps(self._folder):
            place = checkpoint_place(self._folder, step)
            line = lines.get(step, {})
            size = sum(item.num_bytes for item in place.find())
            found.append(
                SavedStep(step, size, _has_all_files(place), line.get("loss"), line.get("validation_loss"))
            )
        return SavedSteps(found)

    @property
    def steps(self) -> int | None:
        """Steps that it is to have; None before its first checkpoint, which says so."""
        found = find_training(self._folder)
        return None if found is None else found.steps

    @property
    def has_ended(self) -> bool:
        """Whether its last step is done, or it stopped early; a training that died has not ended."""
        found = find_training(self._folder)
        return found is not None and found.is_finished()

    def plot(self) -> alt.Chart:
        """Training and validation loss over the steps, as they are now."""
        import altair as alt
        import pandas as pd

        lines = self._lines()
        points = [
            {"step": line["step"], "loss": line[key], "of": name}
            for key, name in _CURVES.items()
            for line in _thinned([line for line in lines if line.get(key) is not None])
        ]
        frame = pd.DataFrame(points, columns=["step", "loss", "of"])
        chart: alt.Chart = (
            alt.Chart(frame)
            .mark_line(point=len(frame) < 2 * len(_CURVES))
            .encode(
                x=alt.X("step:Q"), y=alt.Y("loss:Q", scale=alt.Scale(zero=False)), color=alt.Color("of:N")
            )
            .properties(width=560, height=220)
        )
        return chart

    def watch(self, *, every: float = 5.0, seconds: float | None = None) -> None:
        """Shows the losses in a notebook and draws them anew until the training has ended.

        Interrupt the cell to stop watching; the training goes on. It is one of another process: a notebook
        whose own cell trains draws nothing meanwhile.

        Args:
            every: Seconds between two drawings.
            seconds: Stop watching after so long; None: watch to the end.
        """
        from IPython.display import display

        started = time.monotonic()
        shown = display(self.plot(), display_id=True)  # type: ignore[no-untyped-call]
        with contextlib.suppress(KeyboardInterrupt):
            while not self.has_ended and (seconds is None or time.monotonic() - started < seconds):
                time.sleep(every)
                shown.update(self.plot())

    def _lines(self) -> list[dict[str, Any]]:
        """The whole lines of its log; none before it has one."""
        return read_metrics(self._folder) if self._folder.exists(METRICS_FILE) else []

    def _repr_html_(self) -> str:
        lines, found = self._lines(), find_training(self._folder)
        last = lines[-1] if lines else {}
        steps = None if found is None else found.steps
        validated = [line["validation_loss"] for line in lines if line.get("validation_loss") is not None]
        return panel(
            f"Training {self.key}",
            {
                "step": f"{last.get('step', 0):,}" + ("" if steps is None else f" of {steps:,}"),
                "loss": last.get("loss"),
                "validation loss, the last": validated[-1] if validated else None,
                "validation loss, the least": min(validated) if validated else None,
                "tokens a second": last.get("tokens_per_second"),
                "checkpoints at steps": ", ".join(map(str, checkpoint_steps(self._folder))) or "none yet",
                "has ended": found is not None and found.is_finished(),
            },
        )


def _has_all_files(place: Folder) -> bool:
    try:
        check_sizes(place)
    except (OSError, TornError):
        return False
    return True


def trainings_in(folder: Folder) -> tuple[Training, ...]:
    """The trainings that a folder of checkpoints has, in the order of their names."""
    if not folder.is_folder():
        return ()
    found = (Training(name, folder.child(name)) for name in sorted(folder.names()))
    return tuple(training for training in found if training._folder.is_folder())


def _thinned(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many lines as are drawn, evenly spread, the last one among them."""
    stride = -(-len(lines) // _MOST_POINTS) or 1
    return lines[::-1][::stride][::-1]
