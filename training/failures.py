"""How ranks fail, which of several failures is the cause, and the message that names it. Pure logic."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

FOLLOW_UP_TYPES = frozenset({"HorovodInternalError", "PeerLostError"})
"""Errors that a collective ends in when another rank is gone: effects, not causes."""

Kind = Literal["exception", "exit", "lost", "collective"]
"""How a rank ended, see `RankFailure`."""

_PRIORITY: Mapping[Kind, int] = {"exit": 0, "exception": 0, "lost": 1, "collective": 2}


@dataclass(frozen=True)
class RankFailure:
    """How a rank ended, if not well.

    Attributes:
        rank: The rank.
        host: Its host.
        kind: 'exception' (its code raised), 'exit' (the process ended by a signal or by itself),
            'lost' (its Spark task or executor went away), 'collective' (another rank was gone).
        summary: One line: the exception, the signal or the exit code.
        traceback: The rank's own traceback, or where its threads were when a signal ended it; empty if there
            is none.
        output: Its last lines of output.
    """

    rank: int
    host: str
    kind: Kind
    summary: str
    traceback: str = ""
    output: str = ""

    def as_message(self) -> dict[str, Any]:
        """The failure as JSON values."""
        return asdict(self)


def failure_from_message(message: Mapping[str, Any]) -> RankFailure:
    """The failure that `as_message` made; what is missing becomes empty, and a kind that is none 'lost'."""
    return RankFailure(
        rank=int(message.get("rank", -1)),
        kind=next((kind for kind in _PRIORITY if kind == message.get("kind")), "lost"),
        **{name: str(message.get(name, "")) for name in ("host", "summary", "traceback", "output")},
    )


def describe_exit(code: int) -> str:
    """An exit status as a sentence; negative codes are signals, as in `subprocess`."""
    if code == 0:
        return (
            "the process ended with exit code 0 before its function had returned, so there is no value; "
            "something called os._exit: return from the function instead"
        )
    if code > 0:
        return f"the process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; the kernel's out-of-memory killer does that too" if -code == signal.SIGKILL else ""
    return f"the process was ended by {name}{hint}"


def summarize(error: BaseException) -> str:
    """An exception in one line: its type and the first line of its message, without its notes."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in {"builtins", "__main__"}:
        name = f"{kind.__module__}.{name}"
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - the exception's own code
        text = "(its message cannot be shown)"
    return f"{name}: {text.splitlines()[0].rstrip()}" if text else name


def is_follow_up(failure: RankFailure) -> bool:
    """Whether the failure only says that some other rank is gone."""
    return failure.kind == "collective"


def root_cause(failures: Sequence[RankFailure]) -> RankFailure:
    """The failure that explains the others: a cause before an effect, then the first to be reported."""
    return min(failures, key=lambda failure: _PRIORITY[failure.kind])


def headline(failure: RankFailure, world_size: int) -> str:
    """A failure in one line."""
    return f"rank {failure.rank} of {world_size} on host {failure.host} failed: {failure.summary}"


def explain(failures: Sequence[RankFailure], world_size: int) -> str:
    """The message of the error that a job ends in: cause first, with the rank's traceback and last output."""
    cause = root_cause(failures)
    lines = [headline(cause, world_size)]
    silent = sorted(set(range(world_size)) - {failure.rank for failure in failures})
    if is_follow_up(cause) and silent:
        # Nobody says what went wrong, so whoever says nothing is what the others waited for.
        lines.append(f"not heard from: rank {', '.join(map(str, silent))}; look for what holds it up")
    if cause.traceback:
        lines += [f"traceback of rank {cause.rank}:", cause.traceback.rstrip()]
    if cause.output and (cause.kind == "exit" or not cause.traceback):
        lines += [f"last output of rank {cause.rank}:", cause.output.rstrip()]
    others = sorted({failure.rank: failure for failure in failures if failure.rank != cause.rank}.items())
    lines += [f"rank {rank} failed after it: {failure.summary}" for rank, failure in others]
    return "\n".join(lines)
