"""The clean stage in Spark: tables, accounts, and the same rows for any partitioning."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf import ConfigError, RunConfig
from conf.clean import CleanConfig, LanguageConfig, PrivacyConfig
from pipelines.clean.judge import BLANK
from pipelines.clean.profiles import PROFILES
from pipelines.clean.stage import clean
from pipelines.console.console import Console
from pipelines.lake import Lake
from pipelines.run.binding import binding_of
from pipelines.run.context import Context
from pipelines.stage_output import StageOutput
from pipelines.stages import BY_NAME
from schemas import TABLES
from schemas.documents import DOCUMENTS
from tests.support.corpus import docstrings

JUNK = [
    "",
    "Base API.",
    ">>> 1 + 1\n2",
    "Mail jo@example.org for the rest of it.",
    "Caf\u0065\u0301 is open at noon.\r\n",
]


def row(
    number: int,
    text: str,
    url: str | None = None,
    target: str | None = None,
    source_id: str | None = None,
    label: str | None = None,
) -> tuple[Any, ...]:
    doc_id, size = f"{number:032x}", len(text.encode())
    return (doc_id, "a.jsonl", number, source_id, "record", text, target, label, size, url, {}, False)


@pytest.fixture(scope="module")
def documents(spark: SparkSession) -> DataFrame:
    texts = [*docstrings(1)[:400], *JUNK]
    rows = [row(i, text, source_id=None if i % 7 == 0 else f"id{i}") for i, text in enumerate(texts)]
    return spark.createDataFrame(rows, DOCUMENTS.spark_schema()).cache()


def collect(output: StageOutput) -> dict[str, list[dict[str, Any]]]:
    (shared,) = output.shared
    shared.persist()
    try:
        return {
            name: sorted((row.asDict() for row in frame.collect()), key=lambda row: str(row["doc_id"]))
            for name, frame in output.tables.items()
        }
    finally:
        shared.unpersist()


def test_every_document_is_in_one_table_with_its_evidence(documents: DataFrame) -> None:
    output = clean(documents, CleanConfig())
    for name, frame in output.tables.items():
        wanted = TABLES[name].spark_schema()
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in wanted]
    found = collect(output)
    kept, rejected = found["clean"], found["rejected"]
    inputs = {row.doc_id: row for row in documents.collect()}
    assert sorted(row["doc_id"] for row in kept + rejected) == sorted(inputs)
    assert len(kept) > 300
    assert len(rejected) >= 3
    for row in kept:
        assert row["source_id"] == inputs[row["doc_id"]].source_id
        assert row["num_bytes"] == len(row["text"].encode())
        assert set(row["measures"]) == set(output.details["thresholds"])
    thresholds = output.details["thresholds"] | {BLANK.rule: BLANK.threshold}
    for row in rejected:
        assert row["num_bytes"] == inputs[row["doc_id"]].num_bytes
        assert row["threshold"] == thresholds[row["rule"]]
        assert (
            row["value"] < row["threshold"] if row["comparison"] == "<" else row["value"] > row["threshold"]
        )
    by_text = {inputs[row["doc_id"]].text: row for row in kept + rejected}
    assert by_text[JUNK[0]]["rule"] == BLANK.rule
    assert by_text[JUNK[1]]["rule"] == "documentation.prose_words.min"
    assert (by_text[JUNK[3]]["text"], by_text[JUNK[3]]["pii"]) == (
        "Mail [EMAIL] for the rest of it.",
        {"email": 1},
    )
    assert (by_text[JUNK[4]]["text"], by_text[JUNK[4]]["num_repairs"]) == ("Café is open at noon.", 4)


@pytest.mark.parametrize(
    "config", [CleanConfig(), CleanConfig(profile="fineweb", thresholds={"gopher.words.min": 5})]
)
def test_the_same_rows_for_any_partitioning(documents: DataFrame, config: CleanConfig) -> None:
    one, seven = (collect(clean(documents.repartition(count), config)) for count in (1, 7))
    assert one == seven
    assert len(one["clean"]) + len(one["rejected"]) == documents.count()


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_decides_on_every_document(spark: SparkSession, profile: str) -> None:
    texts = ["", "word", " ".join(f"word{i % 977} and the" for i in range(33_334)), *docstrings(1)[:20]]
    documents = spark.createDataFrame(
        [row(i, text) for i, text in enumerate(texts)], DOCUMENTS.spark_schema()
    )
    found = collect(clean(documents, CleanConfig(profile=profile)))
    assert len(found["clean"]) + len(found["rejected"]) == len(texts)
    if profile == "pii-only":
        assert [kept["text"] for kept in found["clean"]] == texts[1:]


def test_lists_languages_and_pairs_reach_the_tasks(spark: SparkSession, tmp_path: Path) -> None:
    urls, words = tmp_path / "urls", tmp_path / "words"
    urls.write_text("bad.example\n", encoding="utf-8")
    words.write_text("awful\n", encoding="utf-8")
    config = CleanConfig(
        profile="none",
        url_blocklist=(str(urls),),
        word_blocklist={"all": (str(words),)},
        per_language={
            "zh": LanguageConfig(rules=("length.characters.min",), thresholds={"length.characters.min": 99})
        },
        privacy=PrivacyConfig(iban="reject"),
    )
    chinese = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"
    rows = [
        row(0, "A good text of some words.", "https://x.bad.example/1"),
        row(1, "An awful text of some words.", "https://good.example"),
        row(2, chinese),
        row(3, "Pay to DE89370400440532013000 please."),
        row(
            4,
            "Write to jo@example.org now.",
            target="Schreib an jo@example.org\u0020",
            label="jo@example.org ",
        ),
    ]
    # Gone before any task runs: the lists travel with the stage.
    output = clean(spark.createDataFrame(rows, DOCUMENTS.spark_schema()).repartition(3), config)
    urls.unlink()
    words.unlink()
    found = collect(output)
    assert [(gone["rule"], gone["value"], gone["threshold"]) for gone in found["rejected"]] == [
        ("blocklist.url.max", 1, 0),
        ("blocklist.words.max", 1, 0),
        ("length.characters.min", len(chinese), 99),
        ("privacy.iban.max", 1, 0),
    ]
    (kept,) = found["clean"]
    assert (kept["text"], kept["target"]) == ("Write to [EMAIL] now.", "Schreib an [EMAIL]")
    assert kept["label"] == "jo@example.org "
    assert (kept["pii"], kept["num_repairs"]) == ({"email": 2}, 1)


def test_a_changed_list_gives_the_stage_another_key(tmp_path: Path) -> None:
    place = tmp_path / "urls"

    def key(content: str) -> str:
        place.write_text(content, encoding="utf-8")
        config = RunConfig(clean=CleanConfig(url_blocklist=(str(place),)))
        context = Context(config, Lake.at(str(tmp_path / "lake")), Console())
        return binding_of(BY_NAME["clean"]).besides(context).fingerprint

    assert key("a.example\n") == key("a.example\n") != key("b.example\n")


def test_an_empty_table_gives_empty_tables(documents: DataFrame) -> None:
    found = collect(clean(documents.limit(0), CleanConfig()))
    assert list(itertools.chain(*found.values())) == []


def test_a_mistake_is_met_before_any_task_runs(documents: DataFrame) -> None:
    with pytest.raises(ConfigError, match="documentation"):
        clean(documents, CleanConfig(profile="docs"))
