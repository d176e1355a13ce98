"""Whole jobs of the tasks, small: rows add up, bad ones have their reason, models open and answer."""

from __future__ import annotations

import json
import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

import ringlake
from pipelines.cli.main import app
from pipelines.lake import Catalog, Lake
from tests.support.tables import rows
from training.inference.opening import open_predictor
from training.inference.options import Options
from training.inference.predictor import Prediction

DIGITS = dict(zip(["one", "two", "three", "four", "five", "six", "seven"], "一二三四五六七", strict=True))
SIZES = {
    "train.threads_per_rank": 1,
    "train.num_ranks": 2,
    "train.canonical_shards": 2,
    "train.warmup_steps": 4,
}
MARIAN = {
    "d_model": 64,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "dropout": 0.0,
}
BERT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def job(folder: Path, task: str, documents: list[dict[str, Any]], until: Any = "report", **more: Any) -> Path:
    """The lake of a job on some rows, from ingest to report or to an earlier stage."""
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents), "utf-8")
    lake = folder / "lake"
    settings = {
        "lake": str(lake),
        "task.name": task,
        "task.max_tokens": 40,
        "ingest.inputs": [str(source)],
        "clean.profile": "pii-only",
        "dedup.method": "exact",
        "dedup.validation_fraction": 0.15,
        "tokenize.vocab_size": 320,
        "pack.sequence_length": 128,
        "train.global_batch_size": 4,
        "train.micro_batch_size": 4,
        "train.validate_every": 20,
        **SIZES,
        **more,
    }
    runs = {run.stage: run for run in ringlake.run(settings=settings, until=until)}
    assert runs["tokenize"].rows_in == runs["dedup"].rows_out
    assert runs["tokenize"].rows_in == runs["tokenize"].rows_out + runs["tokenize"].rows_rejected
    assert runs["pack"].rows_out == runs["tokenize"].rows_out
    return lake


def evaluation(lake: Path, task: str) -> dict[str, Any]:
    """What evaluation.json says."""
    found: dict[str, Any] = json.loads((lake / "evaluation.json").read_text("utf-8"))
    assert found["task"] == task
    assert found["examples"] > 10
    assert found["not_answered"] == {}
    return found


def reasons(lake: Path) -> dict[str, str]:
    """Reason by source_id."""
    return {row["source_id"]: row["reason"] for row in rows(lake, "refused")}


def numbers(seed: int, longest: str) -> list[dict[str, Any]]:
    """Digits in words and in Chinese, up to three a row, in a random order; two rows that are no pair."""
    words = [each for size in (1, 2, 3) for each in product(DIGITS, repeat=size)]
    random.Random(seed).shuffle(words)
    documents: list[dict[str, Any]] = [
        {"id": number, "text": " ".join(each), "zh": "".join(DIGITS[word] for word in each)}
        for number, each in enumerate(words)
    ]
    return [
        *documents,
        {"id": "latin", "text": "nine", "zh": "nine"},
        {"id": "long", "text": f"{longest} " * 60, "zh": DIGITS[longest] * 60},
    ]


def test_translation(spark: SparkSession, tmp_path: Path) -> None:
    documents = numbers(seed=1, longest="seven")
    lake = job(
        tmp_path,
        "translation",
        documents,
        **{
            "ingest.target_field": "zh",
            "task.target_script": "CJK",
            "model.config": MARIAN,
            "train.steps": 400,
            "train.warmup_steps": 40,
            "train.learning_rate": 3e-3,
            "train.validate_every": 100,
            "evaluate.beams": 2,
            "evaluate.examples": 60,
        },
    )
    assert reasons(lake) == {"latin": "wrong_script", "long": "too_long"}
    found = evaluation(lake, "translation")
    assert found["metrics"]["chrf"] > found["baselines"]["the text itself"]["chrf"] + 30
    assert "tok:zh" in found["signature"]
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(lake / "model")
    tokenizer = AutoTokenizer.from_pretrained(lake / "model")
    for shown in (*found["best"][:3], *found["worst"][:3]):
        given = tokenizer(shown["text"], return_tensors="pt")
        ids = model.generate(**given, max_new_tokens=30, num_beams=2)
        assert tokenizer.decode(ids[0], skip_special_tokens=True) == shown["prediction"]
    page = (lake / "report.html").read_text("utf-8")
    assert "the text itself" in page
    assert "Worst outputs" in page


@pytest.mark.rare
def test_translation_with_a_tokenizer_of_its_own_for_each_side(spark: SparkSession, tmp_path: Path) -> None:
    documents = numbers(seed=6, longest="six")
    lake = job(
        tmp_path,
        "translation",
        documents,
        until="evaluate",
        **{
            "ingest.target_field": "zh",
            "task.target_script": "CJK",
            "task.target_tokenizer": "own",
            "task.target_vocab_size": 280,
            "model.config": MARIAN,
            "train.steps": 400,
            "train.warmup_steps": 40,
            "train.learning_rate": 3e-3,
            "train.validate_every": 400,
            "evaluate.beams": 2,
            "evaluate.examples": 30,
        },
    )
    assert reasons(lake) == {"latin": "wrong_script", "long": "too_long"}
    facts = Catalog(Lake.at(lake)).info("sequences").metadata
    sizes = facts["vocab_size"], facts["task"]["target"]["vocab_size"]
    assert sizes[0] <= 320
    assert sizes[1] <= 280
    assert facts["tokenizer_hash"] != facts["task"]["target"]["tokenizer_hash"]
    config = json.loads((lake / "model" / "config.json").read_text())
    assert (config["vocab_size"], config["decoder_vocab_size"]) == sizes
    found = evaluation(lake, "translation")
    # Three characters at most: BLEU, which counts four in a row, has nothing to count.
    assert found["metrics"]["chrf"] > found["baselines"]["the text itself"]["chrf"] + 30
    told = found["best"][0]
    done = CliRunner().invoke(app, ["translate", str(lake / "model"), "--text", told["text"], "--beams", "2"])
    assert done.stdout.strip() == told["prediction"]


def test_classification(spark: SparkSession, tmp_path: Path) -> None:
    draw = random.Random(2)
    pools = {"good": ["fine", "lovely", "great"], "bad": ["awful", "dull", "poor"]}
    fillers = ["the", "film", "was", "and", "its", "plot", "of", "a", "cast", "seems"]
    documents: list[dict[str, Any]] = []
    for number in range(400):
        label = draw.choice(list(pools))
        text = draw.choices(fillers, k=draw.randrange(2, 12)) + draw.choices(pools[label], k=2)
        draw.shuffle(text)
        documents.append({"id": number, "text": " ".join([*text, str(number)]), "kind": label})
    documents.append({"id": "long", "text": "the plot " * 60, "kind": "good"})
    lake = job(
        tmp_path,
        "classification",
        documents,
        **{
            "ingest.label_field": "kind",
            "model.config": BERT,
            "train.steps": 60,
            "train.warmup_steps": 4,
            "train.learning_rate": 1e-2,
            "train.class_weights": "balanced",
            "features.enabled": True,
            "features.unit": "tokens",
            "features.vector_size": BERT["hidden_size"],
            "model.embeddings": "features",
        },
    )
    assert reasons(lake) == {"long": "too_long"}
    # Vectors are those of tokens: neither marks nor the numbers of labels are among them.
    assert {int(row["term"]) for row in rows(lake, "vectors")} <= set(range(320))
    found = evaluation(lake, "classification")
    assert found["metrics"]["accuracy"] > 0.9
    assert set(found["metrics"]) == {"accuracy", "macro_f1", "ece"}
    assert sum(map(sum, found["confusion"])) == found["examples"]
    assert found["baselines"]["majority label"]["accuracy"] < 0.75
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(lake / "model"))
    assert [one["label"] for one in classify(["the plot was lovely great", "awful dull cast"])] == [
        "good",
        "bad",
    ]


def test_question_answering(spark: SparkSession, tmp_path: Path) -> None:
    draw = random.Random(4)
    fillers = ["the", "old", "red", "dog", "was", "seen", "near", "a", "tall", "tree", "by", "people"]
    paragraphs, asked = [], 0
    for number in range(150):
        words = draw.choices(fillers, k=draw.randrange(6, 40))
        place = draw.randrange(len(words))
        words[place:place] = ["code", str(draw.randrange(1000, 9999))]
        answer = words[place + 1]
        context = " ".join([*words, f"p{number}"])
        questions = [
            {
                "id": f"{number}a",
                "question": "what is the code",
                "answers": [{"text": answer, "answer_start": context.find(answer)}],
            },
            {"id": f"{number}b", "question": "who ate cake", "is_impossible": True, "answers": []},
        ]
        asked += 2
        paragraphs.append({"context": context, "qas": questions})
    # What a rule of privacy takes out of a context is no answer any more.
    context = "the old dog asked people at jane.roe@mail.org for a tree"
    paragraphs.append(
        {
            "context": context,
            "qas": [
                {
                    "id": "gone",
                    "question": "what number",
                    "answers": [{"text": "jane.roe@mail.org", "answer_start": context.find("jane")}],
                },
                {
                    "id": "kept",
                    "question": "who asked",
                    "answers": [{"text": "the old dog", "answer_start": 0}],
                },
            ],
        }
    )
    source = tmp_path / "squad.json"
    source.write_text(
        json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}), "utf-8"
    )
    lake = tmp_path / "lake"
    settings = {
        "lake": str(lake),
        "task.name": "question-answering",
        "task.max_tokens": 48,
        "task.stride": 12,
        "ingest.inputs": [str(source)],
        "ingest.format": "squad",
        "clean.profile": "pii-only",
        "dedup.method": "exact",
        "dedup.validation_fraction": 0.15,
        "tokenize.vocab_size": 320,
        "pack.sequence_length": 128,
        "model.config": BERT,
        "train.global_batch_size": 8,
        "train.micro_batch_size": 8,
        "train.validate_every": 50,
        "train.steps": 150,
        "train.learning_rate": 1e-2,
        **SIZES,
    }
    runs = {run.stage: run for run in ringlake.run(settings=settings, until="report")}
    assert runs["tokenize"].rows_out == runs["tokenize"].rows_in == 151
    assert runs["tokenize"].rows_rejected == 0
    (refused,) = rows(lake, "refused")
    assert (refused["reason"], refused["part"]) == ("answer_not_in_context", 1)
    # Every window of every question is in a sequence of its own split.
    assert runs["pack"].rows_in == runs["pack"].rows_out > asked
    found = evaluation(lake, "question-answering")
    assert found["metrics"]["exact_match"] > 60
    assert found["metrics"]["f1"] > found["baselines"]["no answer"]["f1"] + 10
    assert "the sentence with most of its words" in found["baselines"]
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_pretrained(lake / "model")
    assert model.config.no_answer is True
    asked_row = {"question": "what is the code", "context": "the dog was seen near code 4711 by a tree"}
    (told,) = open_predictor("answer", str(lake / "model"), Options()).predict([asked_row])
    assert isinstance(told, Prediction)
    assert str(told.value) in asked_row["context"]
    assert "no answer" in (lake / "report.html").read_text("utf-8")


def test_instruct(spark: SparkSession, tmp_path: Path) -> None:
    draw = random.Random(3)
    documents = []
    for number in range(500):
        word = draw.choice(list(DIGITS))
        messages = [
            {"role": "user", "content": f"Say {word}, request {number}."},
            {"role": "assistant", "content": f"It is {word}."},
        ]
        documents.append({"id": number, "messages": messages})
    lake = job(
        tmp_path,
        "instruct",
        documents,
        **{
            "ingest.format": "chat",
            "model.config": LLAMA,
            "train.steps": 80,
            "train.warmup_steps": 4,
            "train.learning_rate": 1e-2,
        },
    )
    found = json.loads((lake / "evaluation.json").read_text("utf-8"))
    # What is to be said can be told from the question, up to its first use of a word.
    assert found["metrics"]["bits_per_byte"] < 1
    settings = json.loads((lake / "model" / "tokenizer_config.json").read_text("utf-8"))
    assert "add_generation_prompt" in settings["chat_template"]


@pytest.mark.parametrize("changes", [{"pack.sequence_length": 40}])
def test_a_sequence_that_does_not_hold_an_example_is_told(
    spark: SparkSession, tmp_path: Path, changes: dict[str, Any]
) -> None:
    documents = [{"id": n, "text": f"one {n}", "zh": "一"} for n in range(50)]
    with pytest.raises(ringlake.RinglakeError, match=r"pack\.sequence_length = 40 does not hold"):
        job(tmp_path, "translation", documents, **{"ingest.target_field": "zh", **changes})
