"""The driver's lines about a running training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


class Progress:
    """Turns the events of the ranks into lines.

    Args:
        say: Takes a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def __call__(self, rank: int, event: dict[str, Any]) -> None:
        """Take an event of a rank."""
        kind = event.get("type")
        if kind == "step":
            self._say(step_line(event))
        elif kind == "validation":
            self._say(f"train: step {event['step']}: validation loss {loss_text(event['loss'])}")
        elif kind == "line":
            self._say(str(event.get("text", "")))


def step_line(event: dict[str, Any]) -> str:
    """One line for a step: place, loss, speed, waiting, time left."""
    return (
        f"train: step {event['step']}/{event['steps']} (epoch {event['epoch']})  "
        f"loss {loss_text(event['loss'])}  "
        f"lr {event['lr']:.2e}  {event['tokens_per_second']:,.0f} tokens/s  "
        f"waiting for data {event['data_wait_share']:.1%}  ETA {duration(event['eta_seconds'])}"
    )


def loss_text(loss: float | None) -> str:
    """A loss in nats per target; 'none' where there was no target, or nothing was validated."""
    return "none" if loss is None or math.isnan(loss) else f"{loss:.4f}"


def duration(seconds: float) -> str:
    """Seconds as people say it: '48 s', '3 min 05 s', '2 h 10 min'."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{whole} s"
    hours, part = divmod(minutes, 60)
    return f"{hours} h {part:02d} min" if hours else f"{minutes} min {rest:02d} s"
