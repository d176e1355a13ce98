"""The stage: `tokens` and `corpus` in, `mixed` out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from pyspark import StorageLevel
from pyspark.sql import Window
from pyspark.sql import functions as F

from conf.errors import ConfigError
from conf.mix import MixConfig, MixGroup
from pipelines.errors import InputError
from pipelines.stage_output import StageOutput, release
from ringlake.base.seeds import Purpose
from schemas.mixed import MIXED

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

BUCKET_BITS = 12
"""The hash is cut into 2^12 ranges; the driver sees their sums, and one range of a group is sorted."""

_PLACE = "place"


@dataclass(frozen=True)
class Share:
    """What one group gives.

    Attributes:
        name: Its name.
        tokens: Training tokens it has, end-of-document tokens included.
        target: Tokens it should give.
    """

    name: str
    tokens: int
    target: int

    @property
    def repeats(self) -> int:
        """Copies that every document gets."""
        return self.target // self.tokens if self.tokens else 0

    @property
    def rest(self) -> int:
        """Tokens that further copies of some documents must give."""
        return self.target - self.repeats * self.tokens


def mix(tokens: DataFrame, corpus: DataFrame, config: MixConfig) -> StageOutput:
    """Chooses how often each training document is packed.

    A group's share of the token budget is its weight's. It gives every document as many copies as fit whole,
    and one more to documents in the order of a hash of (seed, doc_id), up to the one that reaches the share:
    a group gives less than one document more than it should. Whether a document is chosen depends on its
    hash and the group's threshold alone. Documents of no group get no copy; the validation split stays.

    Args:
        tokens: Table `tokens`.
        corpus: Table `corpus` that it was made from, for source and language.
        config: The section `mix`, with at least one group.

    Raises:
        ConfigError: There are no groups.
        InputError: A group with a weight has no documents, or would be seen more than `config.max_repeats`
            times.
    """
    if not config.groups:
        raise ConfigError("mix.groups is empty, so there is nothing to mix; name at least one group")
    # Packing orders documents by the same hash: without the purpose, equal seeds would put all that is taken
    # of a group into a few of its buckets.
    place = F.shiftrightunsigned(
        F.xxhash64(F.lit(int(Purpose.MIXTURE)), F.lit(config.seed), F.col("doc_id")), 1
    )
    grouped = (
        tokens.select("doc_id", "split", (F.col("num_tokens") + 1).alias("num_tokens"))
        .join(corpus.select("doc_id", "source", "lang"), "doc_id")
        .select("doc_id", "split", "num_tokens", _group(config).alias("group"), place.alias(_PLACE))
        .persist(StorageLevel.MEMORY_AND_DISK)
    )
    try:
        sums = _sums(grouped)
        shares = _shares(sums, config)
        limits = _limits(grouped, sums, shares)
    except BaseException:
        release(grouped)
        raise
    mixed = grouped.withColumn("copies", _copies(shares, limits)).select(*MIXED.column_names)
    return StageOutput(tables={MIXED.name: mixed}, shared=(grouped,), details=_details(shares, sums))


def with_copies(tokens: DataFrame, mixed: DataFrame) -> DataFrame:
    """The rows of `tokens`, each as often as `mixed` says, with column `copy`: 0, 1, ... of each document."""
    copies = mixed.where("copies > 0").select("doc_id", "copies")
    numbers = F.sequence(F.lit(0), F.col("copies") - 1)
    return tokens.join(copies, "doc_id").withColumn("copy", F.explode(numbers)).drop("copies")


def _group(config: MixConfig) -> Column:
    """Name of the first group that fits, null if none does."""
    name = F.lit(None).cast("string")
    for group in reversed(config.groups):
        name = F.when(_fits(group), F.lit(group.name)).otherwise(name)
    return name


def _fits(group: MixGroup) -> Column:
    tests = []
    if group.sources:
        tests.append(reduce(or_, (F.col("source").like(_like(pattern)) for pattern in group.sources)))
    if group.languages:
        tests.append(F.col("lang").isin(list(group.languages)))
    return reduce(and_, tests, F.lit(True))


def _like(pattern: str) -> str:
    """A pattern with * and ? in SQL's form."""
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, "\\" + special)
    return pattern.replace("*", "%").replace("?", "_")


def _bucket() -> Column:
    return F.shiftright(_PLACE, 63 - BUCKET_BITS).cast("int")


def _sums(grouped: DataFrame) -> dict[str | None, dict[int, int]]:
    """Training tokens of each group by range of the hash."""
    rows = (
        grouped.where("split = 'train'")
        .groupBy("group", _bucket().alias("bucket"))
        .agg(F.sum("num_tokens").alias("total"))
        .collect()
    )
    sums: dict[str | None, dict[int, int]] = {}
    for row in rows:
        sums.setdefault(row["group"], {})[row["bucket"]] = row["total"]
    return sums


def _shares(sums: dict[str | None, dict[int, int]], config: MixConfig) -> list[Share]:
    held = {group.name: sum(sums.get(group.name, {}).values()) for group in config.groups}
    weights = dict(zip(held, config.shares(), strict=True))
    empty = [name for name, weight in weights.items() if weight and not held[name]]
    if empty:
        raise InputError(
            f"group {empty[0]!r} of mix.groups has a weight and no training documents; correct its sources "
            "and languages, or set its weight to 0"
        )
    budget = config.token_budget or sum(held.values())
    most = Fraction(str(config.max_repeats))
    for name, weight in weights.items():
        wanted = int(weight * budget)
        if weight * budget > most * held[name]:
            largest = min(int(most * held[other] / share) for other, share in weights.items() if share)
            raise InputError(
                f"group {name!r} has {held[name]:,} tokens; its share of {budget:,} is {wanted:,}, "
                f"{wanted / held[name]:.2f} times as many, more than mix.max_repeats = "
                f"{config.max_repeats:g}; the largest mix.token_budget that fits these weights is {largest:,}"
            )
    return [Share(name, held[name], int(weight * budget)) for name, weight in weights.items()]


def _limits(
    grouped: DataFrame, sums: dict[str | None, dict[int, int]], shares: list[Share]
) -> dict[str, tuple[int, str]]:
    """The last document, by (hash, doc_id), of each group that gets one more copy."""
    wanted: list[tuple[str, int, int]] = []
    for share in shares:
        left = share.rest
        for bucket, total in sorted(sums.get(share.name, {}).items()):
            if 0 < left <= total:
                wanted.append((share.name, bucket, left))
                break
            left -= total
    if not wanted:
        return {}
    rest = grouped.sparkSession.createDataFrame(wanted, "group string, bucket int, rest long")
    order = (
        Window.partitionBy("group")
        .orderBy(_PLACE, "doc_id")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    rows = (
        grouped.where("split = 'train'")
        .withColumn("bucket", _bucket())
        .join(F.broadcast(rest), ["group", "bucket"])
        .withColumn("running", F.sum("num_tokens").over(order))
        .where("running >= rest")
        .groupBy("group")
        .agg(F.min(F.struct(_PLACE, "doc_id")).alias("last"))
        .collect()
    )
    return {row["group"]: (row["last"][_PLACE], row["last"]["doc_id"]) for row in rows}


def _copies(shares: list[Share], limits: dict[str, tuple[int, str]]) -> Column:
    copies = F.lit(0)
    for share in shares:
        one_more = F.lit(0)
        if share.name in limits:
            place, doc_id = limits[share.name]
            before = F.col(_PLACE) < F.lit(place)
            chosen = before | ((F.col(_PLACE) == F.lit(place)) & (F.col("doc_id") <= F.lit(doc_id)))
            one_more = chosen.cast("int")
        copies = F.when(F.col("group") == F.lit(share.name), F.lit(share.repeats) + one_more).otherwise(
            copies
        )
    return F.when(F.col("split") == "train", copies).otherwise(F.lit(1)).cast("int")


def _details(shares: list[Share], sums: dict[str | None, dict[int, int]]) -> dict[str, Any]:
    return {
        "groups": {share.name: {"tokens": share.tokens, "target": share.target} for share in shares},
        "tokens_of_no_group": sum(sums.get(None, {}).values()),
    }
