"""SQuAD's layout: a document a paragraph, answers at their places, and every question accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringlake.base.squad import only_place, place_answer
from tests.ingest.support import Outcome, read, read_bytes

TEXTS = st.text("ab ", max_size=12)


@given(TEXTS, TEXTS, st.integers(-2, 14))
@example("aXa", "a", 1)
@example("aaaa", "aa", 3)
def test_the_nearest_occurrence_is_found(context: str, answer: str, start: int) -> None:
    places = [place for place in range(len(context)) if answer and context.startswith(answer, place)]
    start_inside = min(max(start, 0), len(context))
    expected = min(places, key=lambda place: (abs(place - start_inside), place), default=None)
    assert place_answer(context, answer, start) == expected
    assert only_place(context, answer) == (places[0] if len(places) == 1 else None)


def test_an_answer_is_looked_for_in_linear_time() -> None:
    context, answer = "a" * 2_000_000, "a" * 1_000_000 + "b" + "a" * 100_000
    assert place_answer(context, answer, 1_500_000) is None
    assert only_place(context, answer) is None


def question(start: Any = 4, text: Any = "cat", name: Any = "1", **more: Any) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start}]
    return {"id": name, "question": "Who sat?", "answers": answers} | more


def squad(folder: Path, *questions: Any, context: Any = "The cat sat on the mat.", **config: Any) -> Outcome:
    paragraphs = [{"context": context, "qas": list(questions)}]
    content = {"version": "1.1", "data": [{"title": "Cats", "paragraphs": paragraphs}]}
    return read_bytes(folder, "a.json", json.dumps(content).encode(), format="squad", **config)


def test_a_paragraph_is_a_document_with_its_questions(tmp_path: Path) -> None:
    none = {"id": 2, "question": "Who ran?", "answers": [], "is_impossible": True, "plausible_answers": []}
    found = squad(tmp_path, question(), none, context="The cat sät.")
    (document,) = found.documents
    assert (document.kind, document.source_id, document.text) == ("paragraph", "Cats#0", "The cat sät.")
    assert (document.metadata, document.offset, document.repaired) == ({"title": "Cats"}, 0, False)
    assert document.label == (
        '[{"id":"1","question":"Who sat?","answers":[{"text":"cat","start":4}]},'
        '{"id":"2","question":"Who ran?","answers":[]}]'
    )


def test_an_answer_elsewhere_is_placed_and_nuls_move_places(tmp_path: Path) -> None:
    several = question(
        9, name="2", answers=[{"text": t, "answer_start": s} for t, s in (("mat", 0), ("cat", 6))]
    )
    found = squad(tmp_path, question(0), several, context="\x00Th\x00e cat sat on the mat.\ud800")
    (document,) = found.documents
    assert document.text == "The cat sat on the mat.�"
    assert document.repaired
    placed = [[answer["start"] for answer in q["answers"]] for q in json.loads(document.label or "")]
    assert placed == [[4], [19, 4]]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (question(0, "dog"), "answer_not_in_context"),
        (question(0, "at"), "answer_not_in_context"),
        (question(-19, "at"), "answer_not_in_context"),
        (question(10**40, "at"), "answer_not_in_context"),
        (question("4", "at"), "answer_not_in_context"),
        (question(True, "at"), "answer_not_in_context"),
        (question(text=" "), "answer_is_blank"),
        (question(text=None), "missing_answer"),
        (question(text=5), "answer_not_string"),
        (question(name=None), "missing_question_id"),
        (question(name=[[]]), "missing_question_id"),
        (question(name="1"), "duplicate_question_id"),
        (question(question=""), "question_is_blank"),
        (question(question=None), "missing_question"),
        (question(question=5), "question_not_string"),
        (question(answers=None), "bad_answers"),
        (question(answers=["cat"]), "bad_answers"),
        (question(is_impossible=True), "bad_answers"),
        (question(answers=[]), "no_answers"),
        (question(answers=[], is_impossible="true"), "no_answers"),
        ("cat", "not_squad"),
    ],
)
def test_a_question_that_cannot_be_learned_is_a_record_of_its_own(
    tmp_path: Path, bad: Any, reason: str
) -> None:
    if isinstance(bad, dict) and bad["id"] == "1" and reason != "duplicate_question_id":
        bad = bad | {"id": "2"}
    found = squad(tmp_path, question(), bad)
    assert found.reasons == [("row", reason)]
    assert (found.summary.kept, found.summary.records) == (1, 2)
    if isinstance(bad, dict) and isinstance(bad["id"], str):
        assert found.quarantined[0].fault.excerpt.startswith(f"{bad['id']}: ")
    alone = squad(tmp_path, bad)
    assert not alone.documents or reason == "duplicate_question_id"


@pytest.mark.parametrize(
    ("paragraph", "reason"),
    [
        ({"context": None, "qas": [question()]}, "missing_text"),
        ({"context": 5, "qas": [question()]}, "text_not_string"),
        ({"context": "\u200b", "qas": [question()]}, "text_is_blank"),
        ({"context": "The cat."}, "no_questions"),
        ({"context": "The cat.", "qas": []}, "no_questions"),
        ({"context": "The cat" + "." * 999, "qas": [question()]}, "too_large"),
        ({"context": "The cat.", "qas": [question(question="Who?" * 300)]}, "too_large"),
        (7, "not_squad"),
    ],
)
def test_a_paragraph_that_cannot_be_kept_is_one_record(tmp_path: Path, paragraph: Any, reason: str) -> None:
    good = {"context": "The cat sat.", "qas": [question(name="good")]}
    content = json.dumps({"data": [{"paragraphs": [paragraph, good]}, {"paragraphs": []}]}).encode()
    found = read_bytes(tmp_path, "a.json", content, format="squad", max_document_bytes=600)
    assert found.reasons == [("row", reason)]
    assert [(d.source_id, d.offset) for d in found.documents] == [("article 0#1", 1)]
    assert (found.summary.kept, found.summary.records) == (1, 2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1]", "not_squad"),
        (b'{"data": {}}', "not_squad"),
        (b'{"data": [', "bad_json"),
        (b'{"data": [], "data": []}', "duplicate_key"),
        (b'{"data": ' + b"[" * 100_000, "too_deep"),
        (b'{"data": "\xff"}', "not_utf8"),
        ('{"data": []}'.encode("utf-16"), "not_utf8"),
        (b'{"data": []}', "empty"),
        (b'{"data": []}' + b" " * 999, "too_large"),
    ],
)
def test_a_file_that_is_no_squad_is_quarantined(tmp_path: Path, content: bytes, reason: str) -> None:
    limit = 999 if reason == "too_large" else 10**6
    assert read_bytes(tmp_path, "a.json", content, format="squad", max_squad_bytes=limit).reasons == [
        ("file", reason)
    ]


def test_answers_that_are_never_found_cost_no_quadratic_time(tmp_path: Path) -> None:
    questions = [question(0, "zz", str(number)) for number in range(20_000)]
    found = squad(tmp_path, *questions, context="a " * 1_000_000)
    assert {row.fault.reason for row in found.quarantined} == {"answer_not_in_context", "no_questions"}
    assert found.summary.records == 20_001


@pytest.mark.parametrize("language", ["en", "zh"])
def test_xquad_is_read_whole(shared_data: Path, language: str) -> None:
    found = read(shared_data / "qa" / f"xquad_{language}.json", format="squad")
    assert (len(found.documents), found.quarantined) == (180, [])
    questions = [(d.text, q) for d in found.documents for q in json.loads(d.label or "")]
    assert len(questions) == 910
    for context, asked in questions:
        for answer in asked["answers"]:
            assert context[answer["start"] :].startswith(answer["text"])
