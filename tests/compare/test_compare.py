"""A comparison from end to end: what is shared, cut, held out, trained, said and shown; and again."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from pipelines.lake import Lake, Ledger, RunRecord, read_arrow
from tests.compare.conftest import BUDGET, SEEDS, Compared
from tests.support.cli import ringlake

# Twelve tiny trainings in one comparison.
pytestmark = pytest.mark.rare

LETTERS = ("A", "B", "C")


def last(compared: Compared, letter: str, stage: str) -> RunRecord:
    found = Ledger(Lake.at(compared.out / "recipes" / letter)).latest(stage)
    assert found is not None
    return found


def test_the_files_say_what_was_printed(compared: Compared) -> None:
    found = json.loads((compared.out / "compare.json").read_text(encoding="utf-8"))
    assert found == compared.result
    assert found["verdict"] in ("A", "B", "C", "no difference")
    low, high = found["interval"]
    assert low <= found["difference_bits_per_byte"] <= high
    assert (found["confidence"], found["seeds"]) == (0.95, SEEDS)


def test_shared_stages_ran_once(compared: Compared) -> None:
    ids = {
        (letter, stage): last(compared, letter, stage).run_id
        for letter in LETTERS
        for stage in ("ingest", "clean", "dedup", "pack")
    }
    assert ids["A", "ingest"] == ids["B", "ingest"] == ids["C", "ingest"]
    assert ids["A", "clean"] != ids["B", "clean"] == ids["C", "clean"]
    assert ids["A", "pack"] != ids["B", "pack"] == ids["C", "pack"]
    assert compared.stderr.count("read the input files") == 1
    assert compared.result["recipes"]["B"]["shared"] == {"ingest": "A"}


def test_alike_recipes_have_the_same_models_and_no_difference(compared: Compared) -> None:
    assert compared.result["recipes"]["C"]["same_as"] == "B"
    assert len(compared.result["models"]) == 2 * SEEDS
    pair = next(pair for pair in compared.result["pairs"] if pair["recipes"] == ["B", "C"])
    assert (pair["verdict"], pair["interval"]) == ("no difference", [0.0, 0.0])
    assert "nothing to tell apart" in pair["told"]


def test_every_model_saw_the_same_budget(compared: Compared) -> None:
    runs = [
        Ledger(Lake.at(model["folder"].removesuffix("/model"))).latest("train")
        for model in compared.result["models"]
    ]
    tokens = [run.details["tokens"] for run in runs if run is not None]
    whole = BUDGET // (64 * 8) * 64 * 8
    # The last sequence of a split is cut short.
    assert len(tokens) == 2 * SEEDS and all(whole - 64 < count <= whole for count in tokens)
    seeds = [model["seed"] for model in compared.result["models"]]
    assert sorted(seeds) == [1, 1, 2, 2]
    for letter in LETTERS:
        mixed = read_arrow(Lake.at(compared.out / "recipes" / letter), "mixed", where="split = 'train'")
        rows = zip(mixed["copies"].to_pylist(), mixed["num_tokens"].to_pylist(), strict=True)
        packed = sum(copies * count for copies, count in rows)
        assert BUDGET <= packed < BUDGET + max(mixed["num_tokens"].to_pylist())


def test_held_out_texts_were_kept_by_every_recipe_and_trained_on_by_none(compared: Compared) -> None:
    lines = (compared.out / "held-out.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    chosen = [json.loads(line) for line in lines]
    assert len({row["text"] for row in chosen}) == len(chosen) >= compared.result["held_out"]["texts"] >= 20
    for letter in LETTERS:
        lake = Lake.at(compared.out / "recipes" / letter)
        corpus = read_arrow(lake, "corpus", ["doc_id", "text"])
        clean = read_arrow(lake, "clean", ["doc_id", "text"])
        texts = dict(zip(clean["doc_id"].to_pylist(), clean["text"].to_pylist(), strict=True))
        assert all(texts[row["id"]] == row["text"] for row in chosen)
        assert not {row["text"] for row in chosen} & set(corpus["text"].to_pylist())
    # B rejects every page of menus, so that none of them is asked.
    assert not any(" | " in row["text"] for row in chosen)


def test_scores_are_bits_per_byte_of_all_texts(compared: Compared) -> None:
    asked = compared.result["held_out"]["texts"]
    for letter in ("A", "B"):
        for place, seed in enumerate((1, 2)):
            file = compared.out / "scores" / f"{letter}-{seed}.json"
            nats = json.loads(file.read_text(encoding="utf-8"))["value"]["nats"]
            assert len(nats) == asked
            size = sum(group["bytes"] for group in compared.result["by_language"])
            score = compared.result["bits_per_byte"][letter]["by_seed"][place]
            assert score == pytest.approx(sum(nats) / math.log(2) / size)
            assert 0.5 < score < 8


def test_the_recipe_that_keeps_boilerplate_scores_worse(compared: Compared) -> None:
    scores = compared.result["bits_per_byte"]
    assert min(scores["A"]["by_seed"]) > max(scores["B"]["by_seed"])


def test_what_was_kept_differently_is_told_with_examples(compared: Compared) -> None:
    pairs = json.loads((compared.out / "differences.json").read_text(encoding="utf-8"))["value"]
    first = next(pair for pair in pairs if pair["recipes"] == ["A", "B"])
    reasons = {reason["reason"]: reason for reason in first["only_in"]["A"]}
    menus = reasons["rejected by gopher.duplicate_lines.max"]
    assert menus["documents"] > 900
    assert all(" | " in example["excerpt"] for example in menus["examples"])
    assert len(menus["examples"]) == 3
    assert any(reason.startswith("duplicate, minhash") for reason in reasons)
    corpora = {
        letter: set(
            read_arrow(Lake.at(compared.out / "recipes" / letter), "corpus", ["doc_id"])["doc_id"].to_pylist()
        )
        for letter in ("A", "B")
    }
    assert sum(reason["documents"] for reason in first["only_in"]["A"]) == len(corpora["A"] - corpora["B"])
    assert first["in_both"] == len(corpora["A"] & corpora["B"])


def test_cost_stands_beside_quality(compared: Compared) -> None:
    for letter in LETTERS:
        cost = compared.result["cost"][letter]
        assert cost["corpus"]["cpu_seconds"] > 0 and cost["training"]["cpu_seconds"] > 0
        assert cost["corpus"]["read_bytes"] > 0 and cost["corpus"]["written_bytes"] > 0
        wanted = 0.05 * cost["training"]["cpu_seconds"] / 3600
        assert cost["training"]["money"] == pytest.approx(wanted)
        assert cost["money_per_step"] == pytest.approx(wanted / (SEEDS * (BUDGET // 512)))


def test_the_page_shows_it_and_runs_nothing(compared: Compared) -> None:
    page = (compared.out / "compare.html").read_text(encoding="utf-8")
    assert f"Verdict: {compared.result['verdict']}" in page
    assert "gopher.duplicate_lines.max" in page
    assert re.search(r"\b(Imprint|Search|News|Home|Cart) \| ", page)
    assert "<script" not in page and "<again>" not in page
    assert "&lt;again&gt;" in page


def test_the_same_command_again_has_nothing_to_do(compared: Compared) -> None:
    before = (compared.out / "compare.json").read_bytes()
    again = ringlake(*compared.command)
    assert "starting Spark" not in again.stderr
    assert json.loads(again.stdout) == compared.result
    assert (compared.out / "compare.json").read_bytes() == before


def test_a_url_is_no_place_for_a_comparison(compared: Compared, tmp_path: Path) -> None:
    words = [word if word != compared.out else "memory://out" for word in compared.command]
    assert "--out memory://out" in ringlake(*words, code=3).stderr
