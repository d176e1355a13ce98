"""Classifying, embedding, answering and translating: what `transformers` gives for one row alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from tests.inference import tiny
from tests.inference.tiny import LENGTH, TEXTS
from training.inference.classify import Classifier
from training.inference.opening import open_predictor
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Refusal

ROWS: list[dict[str, Any]] = [{"id": number, "text": text} for number, text in enumerate(TEXTS)]
LONG = " ".join(TEXTS * 5)
CONTEXT = "The quick  brown fox jumps over the lazy dog, and the dog sleeps. A value is missing."
QUESTION = "the lazy fox?"


def good(outcomes: list[Outcome]) -> list[Prediction]:
    found = [item for item in outcomes if isinstance(item, Prediction)]
    assert len(found) == len(outcomes), outcomes
    return found


def same(one: Prediction, other: Prediction) -> None:
    if isinstance(one.value, list):
        torch.testing.assert_close(torch.tensor(one.value), torch.tensor(other.value), atol=1e-5, rtol=1e-4)
    else:
        assert one.value == other.value
    assert one.score == pytest.approx(other.score, abs=1e-5)


def test_a_label_is_the_likeliest_and_its_score_its_probability(models: dict[str, Path]) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(models["classify"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(models["classify"])
    found = good(open_predictor("classify", models["classify"]).predict(ROWS))
    for text, each in zip(TEXTS, found, strict=True):
        share = torch.softmax(model(**tokenizer(text, return_tensors="pt")).logits[0], -1)
        assert each.value == ["bad", "good", "odd"][int(share.argmax())]
        assert each.score == pytest.approx(share.max().item(), abs=1e-5)
    assert len({each.score for each in found}) == len(TEXTS)


def test_shares_are_the_probabilities_of_all_labels_the_likeliest_first(models: dict[str, Path]) -> None:
    predictor = open_predictor("classify", models["classify"])
    assert isinstance(predictor, Classifier)
    for text, found in zip([*TEXTS, LONG], good(predictor.predict([*ROWS, {"text": LONG}])), strict=True):
        shares = predictor.shares({"text": text})
        assert not isinstance(shares, Refusal)
        best, share = shares[0]
        assert best == str(found.value)
        assert share == pytest.approx(found.score, abs=1e-5)
        assert sorted(label for label, _ in shares) == ["bad", "good", "odd"]
        numbers = [share for _, share in shares]
        assert numbers == sorted(numbers, reverse=True) and sum(numbers) == pytest.approx(1, abs=1e-5)
    refused = predictor.shares({"text": " "})
    assert isinstance(refused, Refusal) and refused.reason == "empty"


def test_a_vector_is_the_mean_over_the_tokens(models: dict[str, Path]) -> None:
    model = AutoModel.from_pretrained(models["embed"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(models["embed"])
    for text, each in zip(TEXTS, good(open_predictor("embed", models["embed"]).predict(ROWS)), strict=True):
        mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        same(each, Prediction((mean / mean.norm()).tolist()))


def test_a_vector_of_a_causal_model_is_that_of_the_last_token(models: dict[str, Path]) -> None:
    model = AutoModel.from_pretrained(models["generate"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(models["generate"])
    predictor = open_predictor("embed", models["generate"])
    for text, each in zip(TEXTS[:3], good(predictor.predict(ROWS[:3])), strict=True):
        last = model(tokenizer(text, return_tensors="pt")["input_ids"]).last_hidden_state[0, -1]
        same(each, Prediction((last / last.norm()).tolist()))
    (refused,) = predictor.predict([{"text": LONG}])
    assert isinstance(refused, Refusal) and refused.reason == "too_long"


def test_a_long_text_is_read_in_windows(models: dict[str, Path]) -> None:
    parts = _windows(models["embed"])
    encoder = AutoModel.from_pretrained(models["embed"]).eval()
    total = torch.stack([encoder(part).last_hidden_state[0].sum(0) for part in parts]).sum(0)
    (found,) = good(open_predictor("embed", models["embed"]).predict([{"text": LONG}]))
    same(found, Prediction((total / total.norm()).tolist()))
    parts = _windows(models["classify"])
    model = AutoModelForSequenceClassification.from_pretrained(models["classify"]).eval()
    shares = [torch.softmax(model(part).logits[0], -1) * part.shape[1] for part in parts]
    mean = torch.stack(shares).sum(0) / sum(part.shape[1] for part in parts)
    (label,) = good(open_predictor("classify", models["classify"]).predict([{"text": LONG}]))
    assert label.score == pytest.approx(float(mean.max()), abs=1e-5)


def _windows(folder: Path) -> list[torch.Tensor]:
    """The long text in windows side by side, as this folder's tokenizer has it."""
    ids = AutoTokenizer.from_pretrained(folder)(LONG, add_special_tokens=False)["input_ids"]
    room = LENGTH - 2
    parts = [torch.tensor([[2, *ids[start : start + room], 3]]) for start in range(0, len(ids), room)]
    assert len(parts) > 2
    return parts


@pytest.mark.parametrize("verb", ["classify", "embed", "translate"])
def test_a_prediction_does_not_depend_on_the_rows_beside_it(models: dict[str, Path], verb: str) -> None:
    predictor = open_predictor(verb, models[verb])
    rows = [*ROWS, {"text": TEXTS[0] + "?"}]
    together = good(predictor.predict(rows))
    for row, each in zip(rows, together, strict=True):
        same(each, good(predictor.predict([row]))[0])
    small = open_predictor(verb, models[verb], Options(batch_tokens=1))
    for one, other in zip(together, good(small.predict(rows)), strict=True):
        same(one, other)


def test_a_translation_is_that_of_beam_search(models: dict[str, Path]) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(models["translate"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(models["translate"])
    options = Options(beams=3, max_new_tokens=10)
    found = good(open_predictor("translate", models["translate"], options).predict(ROWS))
    for text, each in zip(TEXTS, found, strict=True):
        given = tokenizer(text, return_tensors="pt")
        made = model.generate(
            input_ids=given["input_ids"], num_beams=3, do_sample=False, max_new_tokens=10, max_length=None
        )
        assert each.value == tokenizer.decode(made[0], skip_special_tokens=True)
    (refused,) = open_predictor("translate", models["translate"]).predict([{"text": LONG}])
    assert isinstance(refused, Refusal) and refused.reason == "too_long"


@pytest.mark.parametrize("context", [CONTEXT, " ".join([CONTEXT] * 6)], ids=["short", "windows"])
def test_an_answer_is_a_part_of_the_context_and_the_likeliest(models: dict[str, Path], context: str) -> None:
    (found,) = good(
        open_predictor("answer", models["answer"]).predict([{"question": QUESTION, "context": context}])
    )
    assert isinstance(found.value, str)
    assert found.value and found.value in context and 0 < (found.score or 0) <= 1
    best = max(_spans(models["answer"], context))
    assert found.value == context[best[1] : best[2]].strip()


def _spans(folder: Path, context: str) -> list[tuple[float, int, int]]:
    """All spans of all windows, by brute force: score, first and last character."""
    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(QUESTION, add_special_tokens=False)["input_ids"]
    whole = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
    room = LENGTH - len(ids) - 3
    stride = min(128, room // 2)
    found = []
    start = 0
    while True:
        part = whole["input_ids"][start : start + room]
        row = [2, *ids, 3, *part, 3]
        types = [0] * (len(ids) + 2) + [1] * (len(part) + 1)
        with torch.inference_mode():
            made = model(torch.tensor([row]), token_type_ids=torch.tensor([types]))
        first = len(ids) + 2
        for i in range(len(part)):
            for j in range(i, min(len(part), i + 30)):
                score = float(made.start_logits[0, first + i] + made.end_logits[0, first + j])
                span = whole["offset_mapping"][start + i][0], whole["offset_mapping"][start + j][1]
                found.append((score, *span))
        if start + room >= len(whole["input_ids"]):
            return found
        start += room - stride


def test_no_answer_wins_where_the_model_may_say_so(models: dict[str, Path], tmp_path: Path) -> None:
    row = {"question": QUESTION, "context": CONTEXT}
    folder = tiny.encoder(tmp_path / "model", "question-answering", no_answer=True)
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    with torch.no_grad():
        model.qa_outputs.weight.zero_()
        model.qa_outputs.bias.zero_()
    model.save_pretrained(folder)
    # All logits are equal, so that a span is as good as none: the span stays.
    (found,) = good(open_predictor("answer", folder).predict([row]))
    assert found.value
    spans = len(_spans(folder, CONTEXT))
    assert found.score == pytest.approx(1 / (spans + 1), abs=1e-6)
    (found,) = good(open_predictor("answer", folder, Options(no_answer=False)).predict([row]))
    assert found.score == pytest.approx(1 / spans, abs=1e-6)


@pytest.mark.parametrize("verb", ["classify", "embed", "translate", "answer"])
@pytest.mark.parametrize(
    ("bad", "reason"), [(None, "missing"), (4, "not_text"), (" \n", "empty"), ("a\udfff", "not_text")]
)
def test_bad_rows_are_refused_and_the_others_go_on(
    models: dict[str, Path], verb: str, bad: Any, reason: str
) -> None:
    row = {"text": TEXTS[0], "question": QUESTION, "context": CONTEXT}
    wrong = row | {"context" if verb == "answer" else "text": bad}
    first, refused, last = open_predictor(verb, models[verb]).predict([row, wrong, row])
    assert isinstance(refused, Refusal) and refused.reason == reason
    same(good([first])[0], good([last])[0])


def test_a_text_that_spells_a_special_token_is_text(models: dict[str, Path]) -> None:
    model = AutoModel.from_pretrained(models["embed"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(models["embed"], split_special_tokens=True)
    ids = tokenizer("fox [SEP] dog", add_special_tokens=False)["input_ids"]
    assert 3 not in ids
    mean = model(torch.tensor([[2, *ids, 3]])).last_hidden_state[0].mean(0)
    (found,) = good(open_predictor("embed", models["embed"]).predict([{"text": "fox [SEP] dog"}]))
    same(found, Prediction((mean / mean.norm()).tolist()))


def test_a_question_that_leaves_no_room_is_refused(models: dict[str, Path]) -> None:
    (refused,) = open_predictor("answer", models["answer"]).predict([{"question": LONG, "context": CONTEXT}])
    assert isinstance(refused, Refusal) and refused.reason == "too_long"
