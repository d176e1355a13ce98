"""Questions that are answered at once: a label, a translation, a part of a text, how alike two texts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.demo.shown import Shown, refused, too_long
from training.inference.classify import Classifier
from training.inference.options import Verb
from training.inference.predictor import Predictor, Refusal


@dataclass(frozen=True)
class Field:
    """A text that the user types.

    Attributes:
        name: Its column in a row.
        label: What stands above it.
        lines: Its height.
        placeholder: What stands in it while it is empty.
    """

    name: str
    label: str
    lines: int
    placeholder: str


@dataclass(frozen=True)
class Form:
    """What the page of a verb asks for.

    Attributes:
        heading: Above all.
        fields: What the user types.
        button: What is pressed.
        result: What stands above the answer.
        has_score: Whether the answer has a probability of its own.
    """

    heading: str
    fields: tuple[Field, ...]
    button: str
    result: str
    has_score: bool = False


FORMS: Mapping[Verb, Form] = {
    "translate": Form(
        "Translate a text",
        (Field("text", "Text", 5, "A sentence in the language that the model reads."),),
        "Translate",
        "Translation",
    ),
    "classify": Form(
        "Classify a text",
        (Field("text", "Text", 5, "A text to label."),),
        "Classify",
        "Labels",
    ),
    "answer": Form(
        "Answer a question from a text",
        (
            Field("question", "Question", 1, "Who sleeps?"),
            Field("context", "Text that has the answer", 8, "The fox sleeps."),
        ),
        "Answer",
        "Answer, a part of the text",
        has_score=True,
    ),
    "embed": Form(
        "Compare two texts",
        (
            Field("first", "First text", 4, "The fox sleeps."),
            Field("second", "Second text", 4, "The dog is asleep."),
        ),
        "Compare",
        "Likeness, from -1 to 1",
    ),
}
"""The pages of the verbs that answer at once."""


def answer(verb: Verb, predictor: Predictor, texts: Sequence[str]) -> Shown:
    """What the model says of the texts of a form.

    Args:
        verb: One of `FORMS`.
        predictor: The opened model.
        texts: What was typed, in the order of the form's fields.
    """
    row = {field.name: text for field, text in zip(FORMS[verb].fields, texts, strict=True)}
    refusal = too_long(texts, f"`ringlake {verb} --input` reads longer ones from a file")
    if refusal is not None:
        return refused(refusal)
    if isinstance(predictor, Classifier):
        shares = predictor.shares(row)
        return refused(shares) if isinstance(shares, Refusal) else Shown(shares=tuple(shares))
    if verb == "embed":
        return _likeness(predictor, texts)
    (found,) = predictor.predict([row])
    if isinstance(found, Refusal):
        return refused(found)
    text = str(found.value)
    note = "The model says that the text has no answer." if verb == "answer" and not text else ""
    return Shown(text, score=found.score, note=note)


def _likeness(predictor: Predictor, texts: Sequence[str]) -> Shown:
    """The inner product of two vectors of length 1: the cosine of the angle between them."""
    vectors = []
    for field, found in zip(
        FORMS["embed"].fields, predictor.predict([{"text": text} for text in texts]), strict=True
    ):
        if isinstance(found, Refusal):
            return refused(Refusal(found.reason, f"{field.label}: {found.detail}"))
        vectors.append(found.value)
    first, second = vectors
    return Shown(f"{sum(float(a) * float(b) for a, b in zip(first, second, strict=True)):.4f}")
