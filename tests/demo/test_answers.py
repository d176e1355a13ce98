"""What a page shows is what the verbs give, and what they refuse with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.demo.answers import FORMS, answer
from pipelines.demo.shown import MAX_CHARACTERS
from tests.inference import tiny
from tests.inference.tiny import TEXTS
from training.errors import DataError
from training.inference.classify import Classifier
from training.inference.folder import natural_verb
from training.inference.opening import open_predictor
from training.inference.options import Options, Verb
from training.inference.predictor import Prediction


def test_the_head_of_a_model_says_what_it_is_asked_for(models: dict[str, Path]) -> None:
    found = {name: natural_verb(str(folder))[0] for name, folder in models.items()}
    assert found == {
        **{verb: verb for verb in ("classify", "answer", "embed", "translate", "generate")},
        "chat": "generate",
    }
    assert natural_verb(str(models["embed"]))[1] == "bert"


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no config\.json"):
        natural_verb(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(DataError, match="can run code when it is read"):
        natural_verb(str(tmp_path))


def test_all_labels_are_shown_and_the_first_is_the_prediction(models: dict[str, Path]) -> None:
    predictor = open_predictor("classify", models["classify"])
    assert isinstance(predictor, Classifier)
    predicted = predictor.predict([{"text": text} for text in TEXTS])
    for text, found in zip(TEXTS, predicted, strict=True):
        shown = answer("classify", predictor, [text])
        assert isinstance(found, Prediction)
        best, share = shown.shares[0]
        assert best == str(found.value)
        assert share == pytest.approx(found.score, abs=1e-5)
        assert sorted(name for name, _ in shown.shares) == ["bad", "good", "odd"]
        shares = [share for _, share in shown.shares]
        assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1, abs=1e-5)


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
