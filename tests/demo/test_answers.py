"""What a page shows is what the verbs give, and what they refuse with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.demo.answers import FORMS, answer
from pipelines.demo.shown import MAX_CHARACTERS
from tests.inference import tiny
from tests.inference.tiny import TEXTS
from training.inference.classify import Classifier
from training.inference.opening import open_predictor
from training.inference.options import Options, Verb
from training.inference.predictor import Prediction


def test_all_labels_are_shown(models: dict[str, Path]) -> None:
    predictor = open_predictor("classify", models["classify"])
    assert isinstance(predictor, Classifier)
    shown = answer("classify", predictor, [TEXTS[0]])
    assert list(shown.shares) == predictor.shares({"text": TEXTS[0]})
    assert not shown.note


def test_an_answer_has_its_probability(models: dict[str, Path]) -> None:
    predictor = open_predictor("answer", models["answer"])
    texts = ["the lazy fox?", "The quick brown fox jumps over the lazy dog."]
    shown = answer("answer", predictor, texts)
    (found,) = predictor.predict([{"question": texts[0], "context": texts[1]}])
    assert isinstance(found, Prediction)
    assert (shown.text, shown.score, shown.note) == (found.value, found.score, "")


def test_that_there_is_no_answer_is_said(tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "model", "question-answering", no_answer=True)
    predictor = open_predictor("answer", folder)
    for question in TEXTS:
        shown = answer("answer", predictor, [question, TEXTS[0]])
        assert bool(shown.note) == (not shown.text)


def test_texts_are_as_alike_as_their_vectors(models: dict[str, Path]) -> None:
    predictor = open_predictor("embed", models["embed"])
    assert float(answer("embed", predictor, [TEXTS[0], TEXTS[0]]).text) == 1
    one, other = predictor.predict([{"text": TEXTS[0]}, {"text": TEXTS[1]}])
    assert isinstance(one, Prediction) and isinstance(other, Prediction)
    cosine = float(np.dot(np.asarray(one.value), np.asarray(other.value)))
    assert float(answer("embed", predictor, TEXTS[:2]).text) == pytest.approx(cosine, abs=1e-4)
    assert answer("embed", predictor, [TEXTS[0], " "]).note.startswith("Second text: ")


@pytest.mark.parametrize("verb", FORMS)
def test_what_is_refused_has_its_reason(models: dict[str, Path], verb: Verb) -> None:
    predictor = open_predictor(verb, models[verb], Options(max_new_tokens=5))
    num_fields = len(FORMS[verb].fields)
    empty = answer(verb, predictor, [""] * num_fields)
    assert not empty.text and not empty.shares
    assert "has no visible character (empty)" in empty.note
    long = answer(verb, predictor, ["a " * (MAX_CHARACTERS // 2 + 1)] * num_fields)
    assert "50,000" in long.note and f"`ringlake {verb} --input`" in long.note
