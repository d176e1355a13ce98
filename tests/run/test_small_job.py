"""The whole job through the command line: accounts, traces, skipping, model, samples."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import SmallJob
from tests.support.cli import ringlake, status
from tests.support.tables import DATA_TABLES, content_hash, rows

ALL_STAGES = ["ingest", "clean", "dedup", "tokenize", "pack", "train", "evaluate", "generate", "report"]


def test_every_stages_rows_add_up(small_job: SmallJob) -> None:
    runs = status(small_job.lake)["runs"]
    assert [run["stage"] for run in runs] == ALL_STAGES
    for run in runs:
        assert run["state"] == "succeeded"
        left = run["rows_rejected"] + run["rows_quarantined"] + run["rows_duplicate"]
        assert run["rows_in"] == run["rows_out"] + left, run
    by_stage = {run["stage"]: run for run in runs}
    num_lines = len(small_job.corpus.read_text().splitlines())
    assert by_stage["ingest"]["rows_in"] == num_lines
    assert by_stage["ingest"]["rows_quarantined"] == len(small_job.planted["faulty"])
    for before, after in (
        ("ingest", "clean"),
        ("clean", "dedup"),
        ("dedup", "tokenize"),
        ("tokenize", "pack"),
    ):
        assert by_stage[before]["rows_out"] == by_stage[after]["rows_in"]
    assert by_stage["pack"]["inputs"] == {"tokens": status(small_job.lake)["tables"]["tokens"]["version"]}


def test_every_id_of_the_source_has_one_fate(small_job: SmallJob) -> None:
    fates = [
        row["source_id"]
        for name in ("corpus", "rejected", "duplicates")
        for row in rows(small_job.lake, name)
    ]
    planted = small_job.planted
    assert sorted(fates) == sorted(planted["unique"] + planted["exact"] + planted["near"])


def test_planted_duplicates_do_not_stay_beside_their_original(small_job: SmallJob) -> None:
    texts = [row["text"] for row in rows(small_job.lake, "corpus")]
    assert len(set(texts)) == len(texts)
    kept = {row["source_id"] for row in rows(small_job.lake, "corpus")}
    removed = rows(small_job.lake, "duplicates")
    assert {row["kept_source_id"] for row in removed} <= kept
    # Of an original and its copy with four more words, one at most stays.
    near = {row["source_id"] for row in removed if row["method"] == "minhash"}
    assert len(near) >= len(small_job.planted["near"]) * 3 // 4


def test_a_training_sample_is_traced_to_the_raw_text(small_job: SmallJob) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(small_job.lake / "model")
    corpus = {row["doc_id"]: row for row in rows(small_job.lake, "corpus")}
    pieces: dict[str, dict[int, list[int]]] = {}
    for row in rows(small_job.lake, "sequences"):
        assert len(row["input_ids"]) == 64
        for segment in row["segments"]:
            assert corpus[segment["doc_id"]]["split"] == row["split"]
            part = row["input_ids"][segment["start"] : segment["end"]]
            assert pieces.setdefault(segment["doc_id"], {}).setdefault(segment["doc_start"], part) is part
    assert pieces.keys() == corpus.keys()
    for doc_id, found in pieces.items():
        tokens = [token for start in sorted(found) for token in found[start]]
        assert tokens[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(tokens[:-1], clean_up_tokenization_spaces=False) == corpus[doc_id]["text"]


def test_the_model_folder_opens_and_generates(small_job: SmallJob) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = small_job.lake / "model"
    assert not list(folder.glob("*.bin"))
    card = (folder / "README.md").read_text("utf-8")
    assert str(small_job.lake) not in card
    assert "trained by" in card
    scores = json.loads((small_job.lake / "evaluation.json").read_text())
    for name in ("loss", "perplexity", "bits_per_byte"):
        assert f"{scores['model'][name]:.3f}" in card
    assert f"{scores['bigram']['bits_per_byte']:.3f}" in card
    tables = status(small_job.lake)["tables"]
    for name in ("documents", "clean", "corpus", "tokens", "sequences"):
        assert f"| its own | {name} | {tables[name]['version']} | {tables[name]['rows']:,} |" in card
    assert "language:\n- en\n" in card
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer)
    done = ringlake("generate", folder, "--prompt", "Return the", "--max-new-tokens", "5", "--seed", "3")
    again = ringlake("generate", folder, "--prompt", "Return the", "--max-new-tokens", "5", "--seed", "3")
    assert done.stdout.startswith("Return the")
    assert done.stdout == again.stdout


def test_evaluation_holds_together(small_job: SmallJob) -> None:
    scores = json.loads((small_job.lake / "evaluation.json").read_text())
    for name in ("model", "unigram", "bigram"):
        nats = scores[name]["loss"] * scores["targets"]
        assert scores[name]["bits_per_byte"] == pytest.approx(nats / math.log(2) / scores["bytes"], rel=1e-9)
    assert scores["bigram"]["loss"] < scores["unigram"]["loss"]
    validation = [row for row in rows(small_job.lake, "sequences") if row["split"] == "validation"]
    assert scores["targets"] == sum(row["num_tokens"] - 1 for row in validation)


def test_progress_is_told(small_job: SmallJob) -> None:
    for number, stage in enumerate(ALL_STAGES, start=1):
        assert f"[{number}/9] {stage}" in small_job.stderr
    assert "step 24/24" in small_job.stderr
    assert "Traceback" not in small_job.stderr


def test_again_with_nothing_changed_nothing_runs(small_job: SmallJob) -> None:
    before = status(small_job.lake)
    done = ringlake("run", small_job.run_file, "--set", f"lake={small_job.lake}")
    assert done.stderr.count("up to date") == len(ALL_STAGES)
    assert "starting Spark" not in done.stderr
    assert status(small_job.lake) == before


@pytest.mark.rare
def test_a_changed_key_reruns_its_stage_and_those_after_it(small_job: SmallJob, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    before = [run["stage"] for run in status(lake)["runs"]]
    ringlake("run", small_job.run_file, "--set", f"lake={lake}", "--set", "generate.max_new_tokens=4")
    assert [run["stage"] for run in status(lake)["runs"]][len(before) :] == ["generate", "report"]


def test_a_licence_draws_the_report_alone_anew_and_a_lost_readme_too(
    small_job: SmallJob, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    before = len(status(lake)["runs"])
    readme = lake / "model" / "README.md"
    scored = readme.read_text("utf-8")
    licensed = ("--set", f"lake={lake}", "--set", "card.model_license=Apache-2.0")
    ringlake("run", small_job.run_file, *licensed)
    assert [run["stage"] for run in status(lake)["runs"]][before:] == ["report"]
    assert "license: apache-2.0\n" in readme.read_text("utf-8")
    assert "license:" not in scored
    readme.unlink()
    ringlake("run", small_job.run_file, "--set", f"lake={lake}")
    assert [run["stage"] for run in status(lake)["runs"]][before:] == ["report", "report"]
    assert readme.read_text("utf-8") == scored


def test_stage_by_stage_on_one_core_gives_the_same_tables(small_job: SmallJob, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    one: list[str | Path] = ["--lake", lake, "--run", small_job.run_file, "--set", "spark.master=local[1]"]
    one += ["--set", "spark.shuffle_partitions=7", "--set", "spark.conf.spark.default.parallelism=3"]
    ringlake("run", small_job.run_file, "--until", "pack", "--set", f"lake={lake}", *one[4:])
    for table in DATA_TABLES:
        assert content_hash(lake, table) == content_hash(small_job.lake, table), table
    done = ringlake("pack", *one, "--sequence-length", "32")
    assert "[1/1] pack" in done.stderr
    assert {len(row["input_ids"]) for row in rows(lake, "sequences")} == {32}


def test_show_filters_limits_and_prints_json(small_job: SmallJob) -> None:
    def show(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return ringlake("show", small_job.lake, *args, code=code)

    lines = show("corpus", "--where", "split = 'validation'", "--format", "jsonl", "--limit", "0").stdout
    shown = [json.loads(line)["doc_id"] for line in lines.splitlines()]
    expected = [row["doc_id"] for row in rows(small_job.lake, "corpus") if row["split"] == "validation"]
    assert sorted(shown) == sorted(expected)
    assert len(show("corpus", "--format", "jsonl", "--limit", "3").stdout.splitlines()) == 3
    table = show("sequences", "--limit", "2").stdout.splitlines()
    assert table[0].split() == ["split", "sequence_id", "input_ids", "num_tokens", "segments"]
    assert max(map(len, table)) <= 160
    assert "its columns: doc_id" in show("corpus", "--where", "nope = 1", code=3).stderr
    some = show("corpus", "--columns", "split, doc_id", "--limit", "2").stdout.splitlines()
    assert some[0].split() == ["split", "doc_id"]
    assert all(line.split()[0] in ("train", "validation") for line in some[1:3])
    line = show("runs", "--columns", "stage", "--format", "jsonl", "--limit", "1").stdout
    assert json.loads(line).keys() == {"stage"}
    assert "its columns: doc_id" in show("corpus", "--columns", "nope", code=3).stderr


def test_more_ranks_than_slots_is_told_at_once(small_job: SmallJob, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    done = ringlake("train", "--lake", lake, "--run", small_job.run_file, "--num-ranks", "4", code=4)
    error = next(line for line in done.stderr.splitlines() if line.startswith("ringlake: error: "))
    assert "4" in error
    assert "2" in error
    assert "Traceback" not in done.stderr
    assert status(lake)["runs"][-1]["state"] == "failed"
    assert (lake / "model" / "config.json").is_file()


def test_another_number_of_ranks_gives_the_same_model(small_job: SmallJob, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    shutil.rmtree(lake / "checkpoints")
    ringlake("train", "--lake", lake, "--run", small_job.run_file, "--num-ranks", "1")
    one = load_file(lake / "model" / "model.safetensors")
    two = load_file(small_job.lake / "model" / "model.safetensors")
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert abs(values - two[name]).max() < 1e-3, name
