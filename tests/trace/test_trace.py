"""`ringlake trace` against what the tables, the plan and the log say when they are asked directly."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import InputError
from tests.support.cli import ringlake
from tests.support.tables import rows
from tests.trace.asked import ask
from tests.trace.conftest import BATCH, STEPS, Traced
from training.data.plan import SamplePlan
from training.logs.metrics import combine_hashes, hash_ids

pytestmark = pytest.mark.slow


def trace(traced: Traced, *args: str | Path) -> dict[str, Any]:
    return ask("trace", "--lake", traced.lake, *args, "--json").json


def steps_by_document(traced: Traced, steps: int, batch: int) -> dict[str, list[tuple[int, int]]]:
    """Step, from 1, and sequence for each document: every batch of the plan, looked up in the table."""
    held = {
        row["sequence_id"]: {segment["doc_id"] for segment in row["segments"]}
        for row in rows(traced.lake, "sequences")
        if row["split"] == "train"
    }
    plan = SamplePlan(len(held), seed=1, global_batch_size=batch, canonical_shards=4, block_rows=32)
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for step in range(steps):
        for number in sorted(np.concatenate(plan.batch(step)).tolist()):
            for doc_id in held[number]:
                found[doc_id].append((step + 1, number))
    return found


def log(traced: Traced) -> dict[int, dict[str, Any]]:
    path = traced.lake / "checkpoints" / traced.second / "metrics.jsonl"
    return {line["step"]: line for line in map(json.loads, path.read_text().splitlines())}


def test_a_step_tells_the_documents_of_the_batch_that_the_log_has(traced: Traced) -> None:
    step = 37
    found = trace(traced, "--step", str(step))
    (told,) = found["steps"]
    ids = [sequence["sequence_id"] for sequence in told["sequences"]]
    # What the ranks really read, in the third epoch, on another number of ranks than before.
    assert combine_hashes(hash_ids(np.array(ids))) == log(traced)[step]["ids_hash"] == told["ids_hash_in_log"]
    assert (told["step"], told["epoch"]) == (step, log(traced)[step]["epoch"]) == (37, 2)
    stored = {row["sequence_id"]: row for row in rows(traced.lake, "sequences") if row["split"] == "train"}
    documents = {row["doc_id"]: row for row in rows(traced.lake, "documents")}
    wanted = {segment["doc_id"] for number in ids for segment in stored[number]["segments"]}
    assert {document["doc_id"] for document in found["documents"]} == wanted
    for document in found["documents"]:
        row = documents[document["doc_id"]]
        assert [document[name] for name in ("source", "source_id", "offset")] == [
            row["source"],
            row["source_id"],
            row["offset"],
        ]
        # The raw file has the document where it is said to be.
        raw = Path(document["path"]).read_bytes()[document["offset"] :]
        assert json.loads(raw.splitlines()[0])["text"] == row["text"]
    assert [model["model"] for model in found["models"]] == [traced.second]


def test_a_step_of_a_training_without_checkpoints_is_told_from_the_ledger(traced: Traced) -> None:
    found = trace(traced, "--step", "24", "--model", traced.first)
    wanted = {
        doc_id for doc_id, seen in steps_by_document(traced, 24, 8).items() if any(s == 24 for s, _ in seen)
    }
    assert {document["doc_id"] for document in found["documents"]} == wanted
    assert found["steps"][0]["ids_hash_in_log"] is None


def test_a_step_that_there_was_not_is_refused_with_those_that_were(traced: Traced) -> None:
    for step in ("0", str(STEPS + 1)):
        done = ask("trace", "--lake", traced.lake, "--step", step)
        assert f"has the steps 1 to {STEPS}" in str(done.error)
    done = ask("trace", "--lake", traced.lake, "--step", "1", "--model", "nobody")
    assert isinstance(done.error, InputError)
    assert traced.second in str(done.error)


def test_a_document_tells_every_step_of_every_training_that_had_it(traced: Traced) -> None:
    first, second = steps_by_document(traced, 24, 8), steps_by_document(traced, STEPS, BATCH)
    doc_id = max(second, key=lambda name: len(second[name]))
    found = trace(traced, "--document", doc_id)
    told: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for step in found["steps"]:
        told[step["model"]].append((step["step"], step["sequence_id"]))
    assert told[traced.second] == second[doc_id]
    assert told.get(traced.first, []) == first.get(doc_id, [])
    assert {model["model"] for model in found["models"]} == set(told)
    (document,) = found["documents"]
    assert document["outcome"] == "trained on"
    assert {entry["table"] for entry in document["tables"]} == {"documents", "clean", "corpus", "tokens"}
    only = trace(traced, "--document", doc_id, "--model", str(traced.lake / "model"))
    assert {step["model"] for step in only["steps"]} == {traced.second}


def test_a_document_that_left_tells_why(traced: Traced) -> None:
    duplicate = rows(traced.lake, "duplicates")[0]
    (document,) = trace(traced, "--document", duplicate["source_id"], "--source-id")["documents"]
    assert document["doc_id"] == duplicate["doc_id"]
    assert document["outcome"] == "duplicate"
    row = next(entry["row"] for entry in document["tables"] if entry["table"] == "duplicates")
    assert (row["kept_doc_id"], row["method"]) == (duplicate["kept_doc_id"], duplicate["method"])
    held_out = next(row for row in rows(traced.lake, "corpus") if row["split"] == "validation")
    found = trace(traced, "--document", held_out["doc_id"])
    assert found["documents"][0]["outcome"] == "validation"
    assert found["steps"] == found["models"] == []
    assert {part["split"] for part in found["documents"][0]["sequences"]} == {"validation"}
    done = ringlake("trace", "--lake", traced.lake, "--document", "u1", code=3)
    assert "with --source-id" in done.stderr


def test_a_text_is_found_as_it_was_read_and_as_it_was_cleaned(traced: Traced, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    cleaned = {row["doc_id"]: row["text"] for row in rows(traced.lake, "clean")}
    changed = [
        row for row in rows(traced.lake, "documents") if cleaned.get(row["doc_id"]) not in (None, row["text"])
    ]
    chosen = (changed or rows(traced.lake, "documents"))[0]
    for text in (chosen["text"] + "\n", cleaned[chosen["doc_id"]]):
        file.write_text(text, encoding="utf-8")
        found = trace(traced, "--text", file)
        same = {row["doc_id"] for row in rows(traced.lake, "documents") if row["text"] == chosen["text"]}
        assert same <= {document["doc_id"] for document in found["documents"]}
    file.write_text("nobody has read this sentence so far", encoding="utf-8")
    found = trace(traced, "--text", file)
    assert found["documents"] == found["steps"] == found["models"] == found["quarantined"] == []
    file.write_text('{"id": "cut", "text": "a line that ends', encoding="utf-8")
    (fault,) = trace(traced, "--text", file)["quarantined"]
    assert fault["reason"] in {row["reason"] for row in rows(traced.lake, "quarantine")}


def test_a_generated_text_is_traced_to_the_longest_passages(traced: Traced) -> None:
    texts = {row["doc_id"]: row["text"] for row in rows(traced.lake, "corpus") if row["split"] == "train"}
    doc_id = max(texts, key=lambda name: len(texts[name]))
    middle = len(texts[doc_id]) // 2
    passage = texts[doc_id][middle : middle + 300]
    generated = f"Zq {passage} qZ"
    found = trace(traced, "--generated", generated)

    def longest(text: str) -> int:
        best = 0
        for start in range(len(generated)):
            while start + best < len(generated) and generated[start : start + best + 1] in text:
                best += 1
        return best

    first = found["documents"][0]
    assert first["overlap"]["characters"] == longest(texts[first["doc_id"]]) >= 300
    at = first["overlap"]["document_start"]
    assert texts[first["doc_id"]][at : at + first["overlap"]["characters"]] == first["overlap"]["text"]
    assert first["overlap"]["characters"] == max(map(longest, texts.values()))
    lengths = [document["overlap"]["tokens"] for document in found["documents"]]
    assert lengths == sorted(lengths, reverse=True)
    assert "by the index" in found["notes"][0]
    assert {step["doc_id"] for step in found["steps"]} <= {
        document["doc_id"] for document in found["documents"]
    }

    # Built once, and made again where it is broken: the answer is the same.
    (index,) = (traced.lake / "indexes").iterdir()
    assert "building" not in ask("trace", "--lake", traced.lake, "--generated", generated).told
    for part in index.glob("*.parquet"):
        content = part.read_bytes()
        part.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    again = ask("trace", "--lake", traced.lake, "--generated", generated, "--json")
    assert "broken" in again.told
    assert again.json["documents"] == found["documents"]


def test_what_people_see_names_the_same(traced: Traced) -> None:
    shown = ringlake("trace", "--lake", traced.lake, "--step", "2").stdout
    assert "corpus.jsonl" in shown
    assert f"step 2 of {traced.second}, epoch 0: {BATCH} sequences" in shown
    assert "as the log has it" in shown


@pytest.mark.parametrize("args", [(), ("--step", "1", "--document", "x"), ("--step", "1", "--source-id")])
def test_one_question_at_a_time(tmp_path: Path, args: tuple[str, ...]) -> None:
    asked = ask("trace", "--lake", tmp_path, *args)
    assert getattr(asked.error, "code", None) == 2
    assert "--step" in asked.told or "--source-id" in asked.told
