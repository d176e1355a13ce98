"""Repeats, decontamination, mixture and card in one run: accounts, skipping, stale tables."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from conf import RunConfig, load
from conf.clean import CleanConfig
from pipelines.bindings.evaluation_sets import cleaned_with
from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.lake import Lake, Ledger
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.run.prepare import prepare
from pipelines.stages import BY_NAME, STAGES
from tests.support.cli import SMALL_RUN, ringlake
from tests.support.tables import rows

FOOTER = "Subscribe to our <b> letter and share it with all of your friends"
QUESTION = "which of the seven hills did the younger brother choose when both of them wanted a city"


def _config(folder: Path, **changes: Any) -> RunConfig:
    lines = []
    for number in range(60):
        own = " ".join(f"word{number}x{n}" for n in range(5 + number % 7))
        text = FOOTER if number == 7 else f"{own}\n{FOOTER if number % 3 == 0 else own[::-1]}"
        if number == 11:
            text += f"\n{QUESTION}"
        lines.append({"id": str(number), "text": text})
    # Two documents are equal to others, one of them to the one with the question.
    lines[20]["text"], lines[13]["text"] = lines[19]["text"], lines[11]["text"]
    for name, half in (("a.jsonl", lines[:30]), ("b.jsonl", lines[30:])):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in half))
    (folder / "set.txt").write_text(QUESTION + "\n")
    tree = {
        **SMALL_RUN,
        "lake": str(folder / "lake"),
        "ingest": {"format": "jsonl", "inputs": [str(folder / "?.jsonl")]},
        "clean": {"profile": "none"},
        "repeats": {"unit": "line", "min_documents": 5},
        "decontaminate": {"sets": [str(folder / "set.txt")]},
        "mix": {
            "groups": [
                {"name": "a", "sources": ["a.jsonl"], "weight": 3},
                {"name": "b", "sources": ["b.jsonl"], "weight": 1},
            ]
        },
        "card": {"license": "cc-by-4.0"},
        **changes,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(tree))
    return load(folder / "run.yaml")


ALL = ("ingest", "clean", "repeats", "dedup", "tokenize", "mix", "pack", "report", "card")


def _run(config: RunConfig, *names: str) -> str:
    stream = io.StringIO()
    context = Context(config, Lake.at(config.lake), Console(stream))
    run_stages(context, [stage for stage in STAGES if stage.name in names and stage.is_enabled(config)])
    return stream.getvalue()


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert spark is not None
    folder = tmp_path_factory.mktemp("optional")
    said = _run(_config(folder), *ALL)
    assert "[9/9] card" in said
    return folder


def test_every_document_is_accounted_for(made: Path) -> None:
    lake = made / "lake"
    runs = {run.stage: run for run in Ledger(Lake.at(lake)).records()}
    assert [row["source_id"] for row in rows(lake, "emptied")] == ["7"]
    (contaminated,) = rows(lake, "contaminated")
    assert contaminated["source_id"] in {"11", "13"}
    # A cluster has one member in the corpus, or its survivor is contaminated: no split parts one.
    corpus = {row["doc_id"] for row in rows(lake, "corpus")}
    removed = rows(lake, "duplicates")
    assert {row["kept_doc_id"] for row in removed} - corpus == {contaminated["doc_id"]}
    assert corpus.isdisjoint(row["doc_id"] for row in removed)
    (repeat,) = rows(lake, "repeats")
    assert repeat["excerpt"] == FOOTER
    assert (repeat["num_documents"], repeat["num_dropped"]) == (21, 20)
    assert sum(FOOTER in row["text"] for row in rows(lake, "corpus")) == 1
    assert runs["repeats"].rows_rejected == 1
    assert runs["dedup"].inputs.keys() == {"trimmed"}
    counts = runs["dedup"].rows_in, runs["dedup"].rows_rejected, runs["dedup"].rows_duplicate
    assert counts == (59, 1, 2)
    assert runs["dedup"].details["decontamination"]["sets"]["set.txt"]["items_found"] == 1
    mixed = rows(lake, "mixed")
    assert len(mixed) == runs["mix"].rows_in == 56
    assert runs["pack"].inputs.keys() == {"tokens", "mixed"}
    assert runs["pack"].rows_out == sum(row["copies"] for row in mixed)
    assert runs["pack"].details["tokens"] == sum(row["copies"] * row["num_tokens"] for row in mixed)


def test_evaluation_texts_go_the_way_that_the_documents_went(made: Path, tmp_path: Path) -> None:
    def used(lake: Path, **changes: Any) -> tuple[CleanConfig, str]:
        stream = io.StringIO()
        config = _config(tmp_path, clean={"profile": "c4", "privacy": {"email": "off"}}, **changes)
        context = Context(config, Lake.at(lake), Console(stream))
        return cleaned_with(prepare(context, BY_NAME["dedup"]).given), stream.getvalue()

    # What this run says of cleaning is not what made the tables that it reads: the ledger knows that.
    sections: list[dict[str, Any]] = [{}, {"repeats": {}}]
    for section in sections:
        found, said = used(made / "lake", **section)
        assert (found.profile, found.privacy.email, said) == ("none", "redact", "")
    shutil.copytree(made / "lake", tmp_path / "lost")
    shutil.rmtree(tmp_path / "lost" / "tables" / "runs")
    found, said = used(tmp_path / "lost")
    assert (found.profile, found.privacy.email) == ("c4", "off")
    assert "the ledger does not say what 'clean' was made with" in said


def test_the_report_tells_of_overlaps_and_repeats(made: Path) -> None:
    page = (made / "lake" / "report.html").read_text()
    assert FOOTER not in page
    assert FOOTER.replace("<b>", "&lt;b&gt;")[:60] in page
    section = page.partition('<section id="contamination"')[2].partition("</section>")[0]
    assert "set.txt" in section
    assert "which of the seven hills" in section
    assert "contaminated" in page.partition('id="way"')[2].partition("</section>")[0]


def test_the_card_says_what_the_tables_say(made: Path) -> None:
    lake = made / "lake"
    facts = json.loads((lake / "dataset_card.json").read_text())
    corpus, tokens = rows(lake, "corpus"), rows(lake, "tokens")
    assert facts["totals"] == {
        "documents": len(corpus),
        "bytes": sum(row["num_bytes"] for row in corpus),
        "tokens": sum(row["num_tokens"] for row in tokens),
    }
    assert {row["name"]: row["documents"] for row in facts["sources"]["rows"]} == {
        name: sum(row["source"] == name for row in corpus) for name in ("a.jsonl", "b.jsonl")
    }
    assert sum(row["tokens"] for row in facts["languages"]["rows"]) == facts["totals"]["tokens"]
    removed = {(row["table"], row["reason"]): row["rows"] for row in facts["removed"]}
    left_out = sum(row["copies"] == 0 for row in rows(lake, "mixed"))
    expected = {
        ("duplicates", "exact"): 2,
        ("contaminated", "set.txt"): 1,
        ("emptied", "repeats only"): 1,
        ("mixed", "no copy"): left_out,
    }
    assert removed == expected
    assert facts["personal_data"] == {"emails": 0, "ips": 0} or "emails" not in facts["personal_data"]
    assert facts["deduplication"]["bands"] == 14
    card = (lake / "card.md").read_text()
    assert "license: cc-by-4.0" in card
    assert "set.txt" in facts["decontamination"]["sets"]


def test_the_command_writes_the_card_without_spark(made: Path) -> None:
    before = (made / "lake" / "dataset_card.json").read_bytes()
    done = ringlake("card", "--lake", made / "lake", "--run", made / "run.yaml", "--force")
    assert "starting Spark" not in done.stderr
    assert (made / "lake" / "dataset_card.json").read_bytes() == before


def test_only_what_depends_on_a_change_runs_again(made: Path) -> None:
    config = load(made / "run.yaml")
    assert _run(config, *ALL).count("up to date") == len(ALL)
    groups = [{"name": "b", "sources": ["b*"]}, {"name": "a", "weight": 2}]
    other = config.model_copy(update={"mix": config.mix.model_validate({"groups": groups})})
    said = _run(other, "tokenize", "mix")
    assert "[1/2] tokenize: up to date" in said
    assert "[2/2] mix: choose" in said
    (made / "set.txt").write_text(QUESTION + " of stone\n")
    said = _run(config, "repeats", "dedup")
    assert "[1/2] repeats: up to date" in said
    assert "[2/2] dedup: find duplicates" in said


@pytest.mark.rare
def test_a_table_that_is_not_asked_for_is_left_aside_and_it_is_said(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "lake", tmp_path / "lake")
    unset = ["repeats.unit=null", "mix.groups=[]", f"lake={tmp_path / 'lake'}"]
    said = _run(load(made / "run.yaml", unset[1:]), "pack")
    assert re.search(
        r"table 'mixed' \(version \d\) is not read, because mix.groups is not set: 'tokens'", said
    )
    said = _run(load(made / "run.yaml", unset), "dedup", "pack")
    assert re.search(
        r"table 'trimmed' \(version \d\) is not read, because repeats.unit is not set: 'cl", said
    )
    _run(load(made / "run.yaml", unset), "tokenize")
    assert "is not read" not in _run(load(made / "run.yaml", unset), "pack"), "it was made of other tokens"


def test_pack_refuses_a_mixture_of_other_tokens(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "lake", tmp_path / "lake")
    config = load(made / "run.yaml", [f"lake={tmp_path / 'lake'}", "tokenize.vocab_size=400"])
    _run(config, "tokenize")
    with pytest.raises(InputError, match="'mixed' was made of version"):
        _run(config, "pack")
