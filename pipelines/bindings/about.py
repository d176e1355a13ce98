"""What the README of a model says of the tables that went into it: their versions, rows and languages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.errors import RinglakeError
from pipelines.lake import Catalog, Lake, read_sql
from pipelines.run.context import Context
from training.data.snapshot import Snapshot
from training.models.card.about import About, DataVersion

_CODE = re.compile(r"[a-z]{2,3}")

LEAST_SHARE = 0.01
"""Share of the documents of a lake that a language must have to be named: rarer ones are often mistaken."""


def about_training(context: Context, train: Snapshot, mixed: Sequence[Snapshot]) -> About:
    """What the driver knows of a training.

    Args:
        context: Lake and configuration.
        train: Training sequences of the lake.
        mixed: Those of `train.mixture.lakes`, in their order.
    """
    others = [Lake.at(other.lake) for other in context.config.train.mixture.lakes]
    lakes = [context.lake, *others]
    data: list[DataVersion] = []
    languages: dict[str, int] = {}
    for number, (lake, snapshot) in enumerate(zip(lakes, (train, *mixed), strict=True)):
        found = versions_behind(lake, snapshot.version, number)
        data += found
        for code, documents in _languages(lake, found).items():
            languages[code] = languages.get(code, 0) + documents
    return About(
        name=context.config.name,
        data=tuple(data),
        languages=tuple(sorted(languages, key=lambda code: (-languages[code], code))),
        terms=context.config.card,
    )


def versions_behind(lake: Lake, version: int, number: int = 0) -> list[DataVersion]:
    """The tables that a version of `sequences` was made of, it first, as the commits name each other.

    A version whose log is gone ends its branch: what is known is said.

    Args:
        lake: The lake.
        version: Version of its `sequences`.
        number: Which of a training's lakes it is.
    """
    catalog = Catalog(lake)
    waiting, found = [("sequences", version)], {}
    while waiting:
        name, wanted = waiting.pop(0)
        if name in found:
            continue
        try:
            info = catalog.info(name, wanted)
        except RinglakeError:
            continue
        found[name] = DataVersion(number, name, wanted, info.rows)
        waiting += list(info.metadata.get("inputs", {}).items())
    return list(found.values())


def _languages(lake: Lake, data: Sequence[DataVersion]) -> dict[str, int]:
    """Documents of each language that enough of the corpus is in."""
    corpus = next((each for each in data if each.table == "corpus"), None)
    if corpus is None or not corpus.rows:
        return {}
    try:
        rows = read_sql(
            lake, "SELECT lang, count(*) AS documents FROM corpus GROUP BY lang", {"corpus": corpus.version}
        )
    except RinglakeError:
        return {}
    return {
        row["lang"]: int(row["documents"])
        for row in rows
        if _CODE.fullmatch(row["lang"] or "")
        and row["lang"] != "und"
        and row["documents"] >= LEAST_SHARE * corpus.rows
    }
