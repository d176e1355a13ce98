"""Question answering in SQuAD's layout: one document a paragraph, its questions as its label.

The layout is that of SQuAD 1.1 (arXiv 1606.05250) and 2.0 (arXiv 1806.03822), whose unanswerable questions
say `is_impossible`: `data[].title`, `data[].paragraphs[].context` and `.qas[]` with `id`, `question`,
`answers[]` of `text` and `answer_start` in characters. A question that cannot be learned is a quarantined
record of its own; its paragraph stays if another is left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.lines import BOM
from pipelines.files.record import Document, Fault, FileFault, excerpt, repair, utf8_length
from pipelines.files.utf8 import decode
from pipelines.ingest.formats.fields import json_type
from pipelines.ingest.formats.strict_json import DuplicateKey, parse, why_not
from pipelines.text.blank import is_blank
from ringlake.base.squad import Answer, Question, only_place, write_questions

MAX_SEARCHES = 200
"""Answers of a paragraph that are looked for elsewhere than at their place: a search takes time for the whole
context, and a file can hold a million of them. SQuAD's paragraphs have about 5 questions of 1 to 5 answers.
"""


class _Unusable(Exception):
    """A question or a paragraph cannot be kept."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass
class _Paragraph:
    """A paragraph while its questions are looked at.

    Attributes:
        context: Its text, as stored.
        nuls: Places of the NULs that were removed from it, in the text as given.
        searches: Answers looked for elsewhere so far.
        repaired: Whether anything of it had to be made storable.
    """

    context: str
    nuls: list[int]
    searches: int = 0
    repaired: bool = False


@dataclass
class _File:
    """What is known of the file so far.

    Attributes:
        number: The paragraph's number in the file, from 0.
        ids: The ids of questions.
    """

    number: int = -1
    ids: set[str] = field(default_factory=set)


def read_squad(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The paragraphs of a file, and a fault for each paragraph and question that cannot be kept.

    `offset` is the paragraph's number in the file, from 0, also that of a question's fault.

    Raises:
        FileFault: The file is larger than `ingest.max_squad_bytes`, no UTF-8, no JSON, or has no list `data`.
    """
    known = _File()
    for article_number, article in enumerate(_articles(stream, config)):
        title, paragraphs = _article(article, article_number)
        for number, given in enumerate(paragraphs if isinstance(paragraphs, list) else [None]):
            known.number += 1
            yield from _paragraph(given, f"{title}#{number}", title, known, config)


def _articles(stream: BinaryIO, config: IngestConfig) -> list[Any]:
    raw = stream.read(config.max_squad_bytes + 1)
    if len(raw) > config.max_squad_bytes:
        raise FileFault(too_large("file", 0, None, config.max_squad_bytes, "max_squad_bytes", raw[:200]))
    text = decode(raw.removeprefix(BOM), 0, 1)
    if isinstance(text, Fault):
        raise FileFault(text)
    try:
        content = parse(text)
    except (ValueError, DuplicateKey, RecursionError) as error:
        reason, detail, position = why_not(error)
        shown = excerpt(text[max(0, position - 60) :][:1000])
        offset, line = utf8_length(text[:position]), text.count("\n", 0, position) + 1
        raise FileFault(Fault(offset, reason, f"the file {detail}", shown, line)) from None
    articles = content.get("data") if isinstance(content, dict) else None
    if not isinstance(articles, list):
        detail = f"the file is a JSON {json_type(content)} without a list 'data', which SQuAD's layout has"
        raise FileFault(Fault(0, "not_squad", detail, excerpt(text[:1000])))
    return articles


def _article(article: Any, number: int) -> tuple[str, Any]:
    """Title and paragraphs; what is no article has None."""
    if not isinstance(article, dict):
        return f"article {number}", None
    title = article.get("title")
    named = repair(title)[0] if isinstance(title, str) and not is_blank(title) else f"article {number}"
    return named, article.get("paragraphs")


def _paragraph(
    given: Any, source_id: str, title: str, known: _File, config: IngestConfig
) -> Iterator[Document | Fault]:
    try:
        paragraph = _context(given, config)
        questions = given.get("qas")
        if not isinstance(questions, list) or not questions:
            raise _Unusable("no_questions", f"the paragraph {source_id!r:.80} has no list of questions 'qas'")
        kept = []
        for question in questions:
            try:
                kept.append(_question(question, paragraph, known))
            except _Unusable as unusable:
                yield Fault(known.number, unusable.reason, unusable.detail, _shown(question))
        if not kept:
            detail = f"none of the {len(questions):,} questions of {source_id!r:.80} can be learned"
            raise _Unusable("no_questions", detail)
        label = write_questions(kept)
        _check_size("label", label, config)
    except _Unusable as unusable:
        shown = given.get("context") if isinstance(given, dict) else None
        said = excerpt(shown if isinstance(shown, str) else "")
        yield Fault(known.number, unusable.reason, unusable.detail, said)
        return
    yield Document(
        known.number,
        source_id,
        "paragraph",
        paragraph.context,
        paragraph.repaired,
        metadata={"title": title},
        label=label,
    )


def _context(given: Any, config: IngestConfig) -> _Paragraph:
    if not isinstance(given, dict):
        raise _Unusable("not_squad", f"it is a JSON {json_type(given)}, not an object with 'context'")
    text = _string(given, "context", "text")
    stored, changed = repair(text)
    _check_size("text", stored, config)
    nuls = [place for place, char in enumerate(text) if char == "\x00"] if "\x00" in text else []
    return _Paragraph(stored, nuls, repaired=changed)


def _question(given: Any, paragraph: _Paragraph, known: _File) -> Question:
    """A question of the label: its id, text and answers at their places."""
    if not isinstance(given, dict):
        raise _Unusable("not_squad", f"a question is a JSON {json_type(given)}, not an object")
    name = _name(given)
    if is_blank(name):
        raise _Unusable("missing_question_id", "the question has no id, by which its answers are counted")
    name = repair(name)[0]
    if name in known.ids:
        raise _Unusable("duplicate_question_id", f"the file has another question with the id {name!r:.80}")
    question, changed = repair(_string(given, "question", "question"))
    answers = given.get("answers")
    impossible = given.get("is_impossible") is True
    if not isinstance(answers, list):
        raise _Unusable("bad_answers", f"'answers' has the type {json_type(answers)}, not array")
    if answers and impossible:
        raise _Unusable("bad_answers", "the question has answers and is called is_impossible")
    if not answers and not impossible:
        raise _Unusable("no_answers", "the question has no answer and is not called is_impossible")
    placed = tuple(_answer(answer, paragraph) for answer in answers)
    known.ids.add(name)
    paragraph.repaired |= changed
    return Question(name, question, placed)


def _answer(given: Any, paragraph: _Paragraph) -> Answer:
    if not isinstance(given, dict):
        raise _Unusable("bad_answers", f"an answer is a JSON {json_type(given)}, not an object")
    text, changed = repair(_string(given, "text", "answer"))
    start = given.get("answer_start")
    if isinstance(start, int) and not isinstance(start, bool) and start >= 0:
        place = start - bisect_left(paragraph.nuls, start)
        if paragraph.context.startswith(text, place):
            paragraph.repaired |= changed
            return Answer(text, place)
    paragraph.searches += 1
    found = only_place(paragraph.context, text) if paragraph.searches <= MAX_SEARCHES else None
    if found is None:
        given_place = str(start) if isinstance(start, int) else json_type(start)
        why = "it does not occur exactly once elsewhere"
        if paragraph.searches > MAX_SEARCHES:
            why = f"{MAX_SEARCHES:,} answers of this paragraph were looked for elsewhere already"
        detail = f"the answer is not at the character {given_place:.20} of the context, and {why}"
        raise _Unusable("answer_not_in_context", detail)
    return Answer(text, found)


def _string(given: Mapping[str, Any], key: str, what: str) -> str:
    value = given.get(key)
    if value is None:
        raise _Unusable(f"missing_{what}", f"there is no {key!r}")
    if not isinstance(value, str):
        raise _Unusable(f"{what}_not_string", f"{key!r} has the type {json_type(value)}, not string")
    if is_blank(value):
        raise _Unusable(f"{what}_is_blank", f"{key!r} is empty, or it shows nothing")
    return value


def _check_size(what: str, text: str, config: IngestConfig) -> None:
    size = utf8_length(text)
    if size > config.max_document_bytes:
        fault = too_large(what, 0, size, config.max_document_bytes, "max_document_bytes")
        raise _Unusable(fault.reason, fault.detail)


def _shown(question: Any) -> str:
    """Id and beginning of a question, for the excerpt of its fault."""
    if not isinstance(question, dict):
        return ""
    said = question.get("question")
    return excerpt(f"{_name(question):.80}: {said if isinstance(said, str) else ''}")


def _name(question: Mapping[str, Any]) -> str:
    """The id of a question, a string or a number; empty for anything else."""
    given = question.get("id")
    return str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
