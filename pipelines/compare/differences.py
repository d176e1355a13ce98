"""What two recipes kept differently: how many documents, what took them out of the other corpus, examples."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from pipelines.compare.corpora import Corpus
from pipelines.compare.place import Place, keep, kept
from pipelines.lake import Catalog, read_table
from pipelines.run.keys import digest

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

EXAMPLES = 3
"""Documents shown of each reason."""

EXCERPT = 400
"""Characters shown of one."""

_ABSENT = "not among its documents"

_FORMAT = 1
"""Raised where what is collected changes."""


def differences(corpora: Sequence[Corpus], place: Place) -> list[dict[str, Any]]:
    """Of each pair of recipes what each of them has that the other lacks, as JSON values.

    Args:
        corpora: The corpora.
        place: The comparison, which keeps the result.
    """
    key = digest(_FORMAT, [corpus.context.last("dedup").run_id for corpus in corpora])
    there: list[dict[str, Any]] | None = kept(place.differences, key)
    if there is not None:
        return there
    corpora[0].context.console.say("comparing what the recipes kept")
    found = [_pair(first, second) for first, second in itertools.combinations(corpora, 2)]
    keep(place.differences, key, found)
    return found


def _pair(first: Corpus, second: Corpus) -> dict[str, Any]:
    one, other = _corpus(first), _corpus(second)
    both = one.join(other.select("doc_id", F.md5("text").alias("content")), "doc_id")
    counts = both.agg(
        F.count("*").alias("both"),
        F.count(F.when(F.md5("text") != F.col("content"), 1)).alias("changed"),
    ).first()
    assert counts is not None
    return {
        "recipes": [first.recipe.letter, second.recipe.letter],
        "in_both": int(counts["both"]),
        "with_other_text": int(counts["changed"]),
        "only_in": {
            first.recipe.letter: _only(one, other, second),
            second.recipe.letter: _only(other, one, first),
        },
    }


def _corpus(corpus: Corpus) -> DataFrame:
    return _table(corpus, "corpus").select("doc_id", "source", "source_id", "num_bytes", "text")


def _table(corpus: Corpus, name: str) -> DataFrame:
    context = corpus.context
    return read_table(context.spark, context.lake, name, Catalog(context.lake).info(name).version)


def _only(here: DataFrame, there: DataFrame, other: Corpus) -> list[dict[str, Any]]:
    """What one corpus has and another one lacks, by what took it out there; the most frequent first."""
    lacking = here.join(there.select("doc_id"), "doc_id", "left_anti")
    reason = F.coalesce(F.col("reason"), F.lit(_ABSENT))
    order = Window.partitionBy("reason").orderBy(F.xxhash64("doc_id"), "doc_id")
    told = lacking.join(_reasons(other), "doc_id", "left").withColumn("reason", reason)
    rows = (
        told.withColumn("place", F.row_number().over(order))
        .groupBy("reason")
        .agg(
            F.count("*").alias("documents"),
            F.sum("num_bytes").alias("bytes"),
            F.collect_list(F.when(F.col("place") <= EXAMPLES, _example())).alias("examples"),
        )
        .orderBy(F.desc("documents"), "reason")
        .collect()
    )
    return [
        {
            "reason": row["reason"],
            "documents": int(row["documents"]),
            "bytes": int(row["bytes"]),
            "examples": sorted((item.asDict() for item in row["examples"]), key=lambda item: item["doc_id"]),
        }
        for row in rows
    ]


def _example() -> Column:
    text = F.substring("text", 1, EXCERPT + 1).alias("excerpt")
    return F.struct("doc_id", "source", "source_id", "detail", text)


def _reasons(corpus: Corpus) -> DataFrame:
    """Why a recipe has no document of an id: columns doc_id, reason and detail, one row an id."""
    number = F.format_string
    parts = [
        (
            "rejected",
            F.concat(F.lit("rejected by "), F.col("rule")),
            number("%.6g %s %.6g", F.col("value"), F.col("comparison"), F.col("threshold")),
        ),
        (
            "duplicates",
            F.concat(F.lit("duplicate, "), F.col("method")),
            F.concat(F.lit("of "), F.col("kept_doc_id")),
        ),
        (
            "contaminated",
            F.concat(F.lit("overlaps "), F.col("eval_set")),
            F.concat(F.lit("item "), F.col("item_id")),
        ),
        ("emptied", F.lit("only repeated text"), number("%d words left", F.col("words_left"))),
    ]
    present = set(Catalog(corpus.context.lake).names())
    frames = [
        _table(corpus, name).select("doc_id", reason.alias("reason"), detail.alias("detail"))
        for name, reason, detail in parts
        if name in present
    ]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return whole.dropDuplicates(["doc_id"])
