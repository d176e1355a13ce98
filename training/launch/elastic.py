"""How many ranks an attempt gets when the number may change. Pure logic."""

from __future__ import annotations

from dataclasses import dataclass

from training.errors import NotEnoughSlotsError, TrainingError


@dataclass(frozen=True)
class Elastic:
    """Bounds on the number of ranks; each attempt takes the most that have slots.

    Attributes:
        min: Fewest ranks that are worth going on with.
        max: Most ranks.
        shards: The number of ranks must divide this one (the canonical shards of the sample plan); None: any
            number will do.

    Raises:
        TrainingError: No number between min and max is allowed.
    """

    min: int
    max: int
    shards: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.max:
            raise TrainingError(f"elastic needs 1 <= min <= max, not min = {self.min}, max = {self.max}")
        if not self.allowed():
            raise TrainingError(
                f"elastic allows {self.min} to {self.max} ranks, but none of these divides "
                f"train.canonical_shards = {self.shards}; widen the bounds or change the shards"
            )

    def allowed(self) -> list[int]:
        """The numbers of ranks that may run, ascending."""
        numbers = range(self.min, self.max + 1)
        return [number for number in numbers if self.shards is None or self.shards % number == 0]

    def choose(self, slots: int, wanted: int, name: str = "train.elastic") -> int:
        """The largest allowed number of ranks that has slots and is not more than wanted.

        Args:
            slots: Slots that are there.
            wanted: Most ranks that are asked for.
            name: What the caller calls these bounds.

        Raises:
            NotEnoughSlotsError: Even the smallest has not.
        """
        fitting = [number for number in self.allowed() if number <= min(slots, wanted)]
        if not fitting:
            divides = f" that divides train.canonical_shards = {self.shards}" if self.shards else ""
            raise NotEnoughSlotsError(
                f"there {'is' if slots == 1 else 'are'} {slots} slot{'' if slots == 1 else 's'} left, but "
                f"{name} needs at least {self.allowed()[0]} (its min is {self.min}; what counts is "
                f"the least number of ranks{divides}); bring executors back or lower {name}.min"
            )
        return fitting[-1]
