"""What the stages used and, with prices, what that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conf.cost import CostConfig
from pipelines.added import every_stage
from pipelines.lake import RunRecord
from pipelines.run.money import money, total, usage_of
from pipelines.run.usage import Usage


@dataclass(frozen=True)
class StageCost:
    """What the newest run of a stage used; `money` is None where no price is known."""

    stage: str
    used: Usage
    money: float | None


@dataclass(frozen=True)
class Cost:
    """What the stages used.

    Attributes:
        stages: Those of which it was measured.
        used: All of them together.
        money: Likewise; None where no price is known.
        currency: What prices are in.
        per_million_tokens: Money of all stages up to packing by the millions of tokens kept, or None.
        per_step: Money of training by its steps, or None.
    """

    stages: tuple[StageCost, ...]
    used: Usage
    money: float | None
    currency: str
    per_million_tokens: float | None
    per_step: float | None


def cost(newest: Mapping[str, RunRecord], prices: CostConfig, num_tokens: int | None) -> Cost | None:
    """The cost of the newest runs; None where no run measured it.

    Args:
        newest: The newest successful run of each stage.
        prices: The prices of the configuration.
        num_tokens: Tokens of the corpus; None: there are none yet.
    """
    names = [stage.name for stage in every_stage() if stage.name in newest]
    runs = [newest[name] for name in names]
    stages = tuple(
        StageCost(run.stage, used, money(used, prices)) for run in runs if (used := usage_of(run)) is not None
    )
    if not stages:
        return None
    used = total(runs)
    train = newest.get("train")
    steps = train.details.get("steps") if train is not None else None
    return Cost(
        stages=stages,
        used=used,
        money=money(used, prices),
        currency=prices.currency,
        per_million_tokens=_per(_making(names, runs), prices, (num_tokens or 0) / 10**6),
        per_step=_per([train], prices, steps) if train is not None and isinstance(steps, int) else None,
    )


def _making(names: Sequence[str], runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs of the stages that make the corpus and pack it."""
    order = [stage.name for stage in every_stage()]
    last = order.index("pack")
    return [run for name, run in zip(names, runs, strict=True) if order.index(name) <= last]


def _per(runs: Sequence[RunRecord], prices: CostConfig, amount: float) -> float | None:
    spent = money(total(runs), prices)
    return None if spent is None or not amount else spent / amount
