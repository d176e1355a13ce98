"""What tasks learn from comes through cleaning and deduplication as it was read: turns, questions, pairs."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from conf.clean import CleanConfig
from conf.dedup import DedupConfig
from conf.ingest import IngestConfig
from pipelines.clean.stage import clean
from pipelines.dedup.stage import dedup
from pipelines.ingest import ingest
from pipelines.stage_output import release
from ringlake.base.chat import read_chat
from ringlake.base.squad import place_answer
from tests.ingest.catalogues import compiled


def corpus(documents: DataFrame) -> list[dict[str, object]]:
    output = dedup(clean(documents, CleanConfig(profile="pii-only")).tables["clean"], DedupConfig())
    try:
        return [row.asDict() for row in output.tables["corpus"].collect()]
    finally:
        release(*output.shared)


def test_turns_questions_and_pairs_reach_the_corpus(spark: SparkSession, tmp_path: Path) -> None:
    answer = {"text": "the mat", "answer_start": 39}
    asked = {"id": "1", "question": "Where?", "answers": [answer]}
    context = "Mail jo@example.org, said the cat from the mat."
    files = {
        "chat": json.dumps({"prompt": "Hi there", "response": "[user]\nMail jo@example.org"}).encode(),
        "squad": json.dumps({"data": [{"paragraphs": [{"context": context, "qas": [asked]}]}]}).encode(),
        "catalogues": compiled([("Yes", "是"), ("1 file\0%d files", "%d 个文件")]),
    }
    found = {}
    for name, content in files.items():
        path = tmp_path / {"chat": "a.jsonl", "squad": "a.json", "catalogues": "a.mo"}[name]
        path.write_bytes(content)
        read = ingest(spark, IngestConfig.model_validate({"inputs": (str(path),), "format": name}))
        (source,) = read.tables["sources"].collect()
        assert source["records"] == source["kept"] == len(read.tables["documents"].collect())
        found[name] = corpus(read.tables["documents"])
    (chat,), (paragraph,) = found["chat"], found["squad"]
    assert read_chat(str(chat["text"])) == [("user", "Hi there"), ("assistant", "[user]\nMail [EMAIL]")]
    ((question,),) = [json.loads(str(paragraph["label"]))]
    (learned,) = question["answers"]
    text = str(paragraph["text"])
    place = place_answer(text, learned["text"], learned["start"])
    assert place is not None
    assert text[place:] == "the mat."
    pairs = {(row["text"], row["target"]) for row in found["catalogues"]}
    assert pairs == {("Yes", "是"), ("%d files", "%d 个文件")}
