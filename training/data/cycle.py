"""Which table each draw of a mixture takes: a short cycle of integers that keeps every share at every moment.

Weights are integers q_1..q_m with sum D. A cycle of D draws takes table i exactly q_i times, and after any
t draws a table's count differs from t * q_i / D by less than one: the k-th draw of a table (from 0) lies
between floor(k D / q_i) and ceil((k + 1) D / q_i), and taking the earliest deadline first keeps all of these
windows (Baruah, Cohen, Plaxton and Varvel, "Proportionate Progress", Algorithmica 15, 1996). Counts are exact
integers, so that nothing drifts in a training of any length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Cycle:
    """A cycle of draws and where each lane starts in it.

    Lanes start at different places, so that a batch of few draws a lane still has all tables in it. Only
    places are used from which a lane's counts, too, never differ from the shares by one or more.

    Attributes:
        ratio: Draws of each table in a cycle.
        counts: Draws of each table before draw t of the cycle; int64 (D + 1, tables).
        starts: Place in the cycle at which each lane starts.
    """

    ratio: tuple[int, ...]
    counts: npt.NDArray[np.int64]
    starts: tuple[int, ...]

    def count(self, lane: int, draws: int, table: int) -> int:
        """How many of the first `draws` draws of a lane take a table."""
        length, start = len(self.counts) - 1, self.starts[lane]
        turns, place = divmod(start + draws, length)
        return turns * self.ratio[table] + int(self.counts[place, table] - self.counts[start, table])


@lru_cache(maxsize=8)
def make_cycle(ratio: tuple[int, ...], num_lanes: int) -> Cycle:
    """The cycle of a ratio; a pure function of its arguments.

    Args:
        ratio: Positive integers; their sum is the cycle's length.
        num_lanes: Lanes that draw from it.
    """
    counts = _counts(ratio)
    length = len(counts) - 1
    # How far each count is ahead of its share, in D-ths of a draw.
    lead = counts * length - np.arange(length + 1)[:, None] * np.array(ratio)
    fits = ((lead.max(axis=0) - lead < length) & (lead - lead.min(axis=0) < length)).all(axis=1)
    places = np.flatnonzero(fits[:-1]).tolist()
    return Cycle(ratio, counts, tuple(places[lane * len(places) // num_lanes] for lane in range(num_lanes)))


def _counts(ratio: tuple[int, ...]) -> npt.NDArray[np.int64]:
    length = sum(ratio)
    counts = np.zeros((length + 1, len(ratio)), dtype=np.int64)
    drawn = [0] * len(ratio)
    for place in range(length):
        due = [
            (-(-(drawn[table] + 1) * length // part), table)
            for table, part in enumerate(ratio)
            if drawn[table] < part and drawn[table] * length // part <= place
        ]
        drawn[min(due)[1]] += 1
        counts[place + 1] = drawn
    return counts
