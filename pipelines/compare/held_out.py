"""The texts that all models are scored on: no recipe filtered them, and no recipe trains on them.

They are documents that every recipe's cleaning keeps, with the same text, so that no rule of one of them
decides what is asked. Each recipe then takes out of its corpus what overlaps them, as it does for any
evaluation set. What one of the recipes calls a duplicate is not asked either.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from conf.decontaminate import DecontaminateConfig, EvalSet
from pipelines.compare.place import Place, keep, kept
from pipelines.compare.recipes import Recipe, num_shared
from pipelines.decontaminate.items import files_hash, read_items
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, read_arrow, read_table
from pipelines.run.context import Context
from pipelines.run.keys import digest
from ringlake.base.seeds import Purpose, derive_seed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST_SHARE = 0.1
"""Share of the documents that all recipes keep which are held out at most."""

FEWEST = 20
"""Fewest texts on which a verdict is based: of fewer a bootstrap knows the spread too badly (our choice)."""

_UNKNOWN = "und"


@dataclass(frozen=True)
class HeldOutText:
    """A held-out text."""

    id: str
    source: str
    lang: str
    text: str

    @property
    def num_bytes(self) -> int:
        """Its length in UTF-8."""
        return len(self.text.encode())


def choose(
    contexts: Sequence[Context], recipes: Sequence[Recipe], place: Place, most: int, given: str | None
) -> list[HeldOutText]:
    """The texts that are held out of all corpora, written to the comparison's folder.

    Args:
        contexts: The lakes of the recipes, cleaned, in the order of the recipes.
        recipes: The recipes.
        place: The comparison.
        most: Most texts.
        given: A file of the user's own with the texts; None: they are chosen from the documents.

    Raises:
        InputError: There are too few.
    """
    ngram = recipes[0].config.decontaminate.ngram
    if given is not None:
        source = files_hash(DecontaminateConfig(sets=(EvalSet(path=given),)))
    else:
        source = digest(*(_cleaned(context).run_key for context in contexts))
    key = digest(source, most, ngram)
    there = kept(place.held_out_facts, key)
    if there is not None and place.held_out.exists():
        return _read(place)
    texts = (
        _from_documents(contexts, recipes, most, ngram)
        if given is None
        else _from_file(given, most, ngram, recipes[0])
    )
    lines = [json.dumps(asdict(text), ensure_ascii=False) for text in texts]
    place.held_out.replace("".join(f"{line}\n" for line in lines))
    keep(place.held_out_facts, key, {"texts": len(texts)})
    return texts


def asked(texts: Sequence[HeldOutText], lakes: Sequence[Lake], given: str | None) -> list[HeldOutText]:
    """The held-out texts that no recipe filtered: each would be in the corpus of every recipe.

    Args:
        texts: The texts that were chosen.
        lakes: The lakes of the recipes, deduplicated.
        given: The user's own file of them; its texts are in no recipe's documents.

    Raises:
        InputError: There are too few.
    """
    found = list(texts)
    if given is None:
        for lake in lakes:
            ids = set(read_arrow(lake, "contaminated", ["doc_id"]).column("doc_id").to_pylist())
            found = [text for text in found if text.id in ids]
    if len(found) < FEWEST:
        raise InputError(
            f"{len(found)} held-out texts are left that every recipe would have in its corpus (of "
            f"{len(texts)} "
            f"chosen), and a verdict needs {FEWEST}; give texts of your own with --held-out FILE, or recipes "
            f"that "
            f"have more documents in common"
        )
    return found


def _from_documents(
    contexts: Sequence[Context], recipes: Sequence[Recipe], most: int, ngram: int
) -> list[HeldOutText]:
    first = contexts[0]
    common = (
        _clean_frame(first, recipes[0])
        .where(F.col("num_words") >= ngram)
        .select("doc_id", "source", "lang", "text", F.md5("text").alias("content"))
    )
    for context, recipe in list(zip(contexts, recipes, strict=True))[1:]:
        if _same_clean(recipes[0], recipe):
            continue
        other = _clean_frame(context, recipe).select("doc_id", F.md5("text").alias("content"))
        common = common.join(other, ["doc_id", "content"], "left_semi")
    seed = derive_seed(int(Purpose.HELD_OUT)) >> 1
    place = F.xxhash64(F.col("doc_id"), F.lit(seed))
    one = Window.partitionBy("content").orderBy("place", "doc_id")
    distinct = (
        common.withColumn("place", place)
        .withColumn("number", F.row_number().over(one))
        .where("number = 1")
        .drop("number", "content")
        .persist()
    )
    try:
        there = distinct.count()
        wanted = min(most, int(MOST_SHARE * there))
        if wanted < FEWEST:
            raise InputError(
                f"the recipes keep {there:,} documents in common, with the same text and at least {ngram} "
                f"words; of "
                f"these {MOST_SHARE:.0%} may be held out, {wanted}, and a verdict needs {FEWEST}; give more "
                f"documents, or texts of your own with --held-out FILE"
            )
        rows = distinct.orderBy("place", "doc_id").limit(wanted).collect()
    finally:
        distinct.unpersist()
    return [HeldOutText(row["doc_id"], row["source"], row["lang"], row["text"]) for row in rows]


def _from_file(given: str, most: int, ngram: int, recipe: Recipe) -> list[HeldOutText]:
    """The first texts of a file that are long enough to be looked for in the corpora."""
    items = read_items(EvalSet(path=given, fields=_fields(given)), recipe.config.decontaminate.max_file_bytes)
    name = Path(given).name
    found: list[HeldOutText] = []
    for key, texts in items:
        text = "\n".join(texts)
        if len(text.split()) >= ngram:
            found.append(HeldOutText(key, name, _UNKNOWN, text))
        if len(found) == most:
            break
    if len(found) < FEWEST:
        raise InputError(
            f"--held-out {given} has {len(found)} texts of at least {ngram} words, and a verdict needs "
            f"{FEWEST}; give a file with more"
        )
    return found


def _fields(given: str) -> tuple[str, ...]:
    return ("text",) if ".jsonl" in given.lower() else ()


def _clean_frame(context: Context, recipe: Recipe) -> DataFrame:
    name = clean_table(recipe)
    return read_table(context.spark, context.lake, name, Catalog(context.lake).info(name).version)


def clean_table(recipe: Recipe) -> str:
    """The table of a recipe's documents before they are compared with one another."""
    return "clean" if recipe.config.repeats.unit is None else "trimmed"


def _cleaned(context: Context) -> Any:
    stage = "clean" if context.config.repeats.unit is None else "repeats"
    return context.last(stage)


def _same_clean(first: Recipe, other: Recipe) -> bool:
    stages = 2 + (first.config.repeats.unit is not None)
    return num_shared(first.config, other.config) >= stages


def _read(place: Place) -> list[HeldOutText]:
    return [HeldOutText(**json.loads(line)) for line in place.held_out.read_text().split("\n") if line]
