"""What every task keeps: how examples are put together changes nothing that is computed."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from conf.model import ModelConfig
from schemas.token_ids import ID_BITS
from tests.training.tasks.examples import END, batch_of, random_places, random_rows
from tests.training.tiny import MARIAN, make_config
from training.data.reader import Batch
from training.errors import DataError
from training.models.build import build_model
from training.models.precision import LossScale
from training.optim import make_optimizer
from training.step import Stepper
from training.strategies.single import Single
from training.tasks.basis import Targets
from training.tasks.classification import Classification
from training.tasks.instruct import Instruct
from training.tasks.micro_batch import Example, by_length, unpack
from training.tasks.question_answering import QuestionAnswering
from training.tasks.task import Task
from training.tasks.translation import Translation
from training.trial import try_out

VOCAB_SIZE, LENGTH = 60, 64
LABELS = ("bad", "fair", "good")
BERT = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
LLAMA = {**BERT, "num_key_value_heads": 2}

SMALLER, LARGER = Targets(40, 3), Targets(90, 75)
"""Vocabularies of targets whose tokens have other numbers than those of the texts."""

CASES: dict[str, tuple[Task, ModelConfig, int]] = {
    "translation": (Translation(END), ModelConfig(config={**MARIAN, "dropout": 0.0}), 0),
    "smoothed": (Translation(END, 0.1), ModelConfig(config={**MARIAN, "dropout": 0.0}), 0),
    "classification": (
        Classification(LABELS, END, weights=[1.0, 0.5, 2.0]),
        ModelConfig(config={**BERT, **STILL}),
        len(LABELS),
    ),
    "instruct": (Instruct(END), ModelConfig(config=LLAMA), 0),
    "smaller": (Translation(END, targets=SMALLER), ModelConfig(config={**MARIAN, "dropout": 0.0}), 0),
    "larger": (Translation(END, targets=LARGER), ModelConfig(config={**MARIAN, "dropout": 0.0}), 0),
}


TARGET_SIZES = {"smaller": SMALLER.vocab_size, "larger": LARGER.vocab_size}


PLACES: dict[str, tuple[Task, ModelConfig]] = {
    "answers": (QuestionAnswering(END, no_answer=True), ModelConfig(config={**BERT, **STILL})),
    "smoothed": (QuestionAnswering(END, smoothing=0.2), ModelConfig(config={**BERT, **STILL})),
}


def model_of(task: Task, config: ModelConfig) -> Any:
    return build_model(config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=END, seed=1, task=task)


def gradient(task: Task, model: Any, batches: list[Batch], size: int, **more: Any) -> torch.Tensor:
    """The sum of the gradients of some batches, as ranks add them up."""
    config = make_config(optimizer="sgd", micro_batch_size=size, clip_norm=1e9)
    total: Any = 0
    for batch in batches:
        own = deepcopy(model)
        stepper = Stepper(own, make_optimizer(own, config), Single(), config, 100, LossScale(), task, **more)
        stepper._accumulate(batch, 1.0)
        total = total + stepper._gradients.buffer.clone()
    found: torch.Tensor = total
    return found


@pytest.mark.parametrize("name", CASES)
def test_neither_ranks_nor_micro_batches_change_the_gradient(name: str) -> None:
    task, config, classes = CASES[name]
    model = model_of(task, config)
    task.prepare(model)
    if isinstance(task, Translation):
        assert not try_out(model, LENGTH, task)
    rows = random_rows(9, LENGTH, VOCAB_SIZE, seed=3, classes=classes, target_size=TARGET_SIZES.get(name))
    whole = batch_of(rows, LENGTH)
    parts = [batch_of(rows[:4], LENGTH), batch_of(rows[4:5], LENGTH, 4), batch_of(rows[5:], LENGTH, 5)]
    wanted = gradient(task, model, [whole], 100, draws=False)
    for batches, size in (([whole], 1), ([whole], 3), (parts, 2), (parts, 100)):
        torch.testing.assert_close(
            gradient(task, model, batches, size, draws=False), wanted, rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("name", PLACES)
def test_neither_ranks_nor_padding_change_what_is_learned_of_places(name: str) -> None:
    task, config = PLACES[name]
    model = model_of(task, config)
    task.prepare(model)
    assert model.config.no_answer is (name == "answers")
    rows = random_places(9, seed=3)
    whole = batch_of(rows, LENGTH)
    parts = [batch_of(rows[:4], LENGTH), batch_of(rows[4:5], LENGTH, 4), batch_of(rows[5:], LENGTH, 5)]
    wanted = gradient(task, model, [whole], 100, draws=False)
    for batches, size in (([whole], 1), ([whole], 3), (parts, 2), (parts, 100)):
        torch.testing.assert_close(
            gradient(task, model, batches, size, draws=False), wanted, rtol=1e-4, atol=1e-6
        )


def test_the_loss_of_places_is_that_of_each_window_alone() -> None:
    """By the model of transformers itself, whose loss is the mean of both ends."""
    task, config = PLACES["answers"]
    model = model_of(task, config).eval()
    rows = random_places(4, seed=5)
    together = task.micro_batches(batch_of(rows, LENGTH), 4, alone=False)
    found = sum(float(task.nats(model, part.on(torch.device("cpu"))).detach()) for part in together)
    wanted = 0.0
    for given, (start, stop) in (pair for row in rows for pair in row):
        made = model(
            input_ids=torch.tensor([list(given)]),
            start_positions=torch.tensor([start]),
            end_positions=torch.tensor([stop]),
        )
        wanted += 2 * float(made.loss.detach())
    assert found == pytest.approx(wanted, rel=1e-5)
    assert sum(part.targets for part in together) == 2 * sum(map(len, rows))


@pytest.mark.parametrize("places", [[3], [2, 1], [0, 99]])
def test_places_outside_their_window_are_told(places: list[int]) -> None:
    task, _ = PLACES["answers"]
    with pytest.raises(DataError, match="sequence_id 0 has a window of 3 tokens"):
        task.micro_batches(batch_of([[([5, 6, 7], places)]], LENGTH), 1, alone=False)


@pytest.mark.parametrize(
    ("task", "config", "classes"),
    [
        (Translation(END), ModelConfig(config={**MARIAN, "dropout": 0.2}), 0),
        (Classification(LABELS, END), ModelConfig(config=BERT), len(LABELS)),
    ],
)
def test_dropout_is_drawn_a_row_whichever_rank_has_it(task: Task, config: ModelConfig, classes: int) -> None:
    model = model_of(task, config)
    assert try_out(model, LENGTH, task)
    rows = random_rows(5, LENGTH, VOCAB_SIZE, seed=4, classes=classes)
    whole = [batch_of(rows, LENGTH)]
    parts = [batch_of(rows[:2], LENGTH), batch_of(rows[2:], LENGTH, 2)]
    torch.testing.assert_close(
        gradient(task, model, whole, 3, draws=True),
        gradient(task, model, parts, 3, draws=True),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["translation", "smaller", "larger"])
def test_the_loss_is_that_of_each_pair_alone(name: str) -> None:
    """By the model of transformers itself, a pair at a time, without padding."""
    task, config, _ = CASES[name]
    model = model_of(task, config).eval()
    task.prepare(model)
    rows = random_rows(4, LENGTH, VOCAB_SIZE, seed=5, target_size=TARGET_SIZES.get(name))
    found = sum(
        float(task.nats(model, part.on(torch.device("cpu"))).detach())
        for part in task.micro_batches(batch_of(rows, LENGTH), 4, alone=False)
    )
    wanted = 0.0
    for given, learned in (pair for row in rows for pair in row):
        labels = torch.tensor([list(learned)])
        loss = model(input_ids=torch.tensor([list(given)]), labels=labels).loss
        wanted += float(loss.detach()) * labels.numel()
    assert found == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("targets", [SMALLER, LARGER])
def test_sides_with_a_vocabulary_each_share_nothing(targets: Targets, tmp_path: Path) -> None:
    """Neither embeddings, nor the row that pads and does not learn; a saved folder gives the same model."""
    task = Translation(END, targets=targets)
    model = model_of(task, CASES["smaller"][1])
    task.prepare(model)
    given, learned = (
        side.get_input_embeddings().weight for side in (model.get_encoder(), model.get_decoder())
    )
    assert (given.shape, learned.shape) == ((VOCAB_SIZE, 16), (targets.vocab_size, 16))
    assert model.get_output_embeddings().weight is learned
    texts = list(range(1, VOCAB_SIZE))
    size = targets.vocab_size
    rows = [[(texts, list(range(1, size // 2))), (texts, list(range(size // 2, size)))]]
    for part in task.micro_batches(batch_of(rows, 250), 1, alone=False):
        task.loss(model, part.on(torch.device("cpu"))).backward()
    still = torch.flatten((given.grad.abs().sum(1) == 0).nonzero())
    assert still.tolist() == [END]
    assert not bool((learned.grad.abs().sum(1) == 0).any())  # as the output all rows learn
    model.save_pretrained(tmp_path)
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert again.generation_config.pad_token_id == targets.end_id
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_a_target_beyond_its_vocabulary_is_told() -> None:
    task, _, _ = CASES["smaller"]
    with pytest.raises(DataError, match="token id 40 in a target, but their tokenizer has 40 entries"):
        task.micro_batches(batch_of([[([59], [40])]], LENGTH), 1, alone=False)


def test_a_chat_is_learned_as_if_it_were_alone() -> None:
    task, config, _ = CASES["instruct"]
    model = model_of(task, config).eval()
    rows = random_rows(3, LENGTH, VOCAB_SIZE, seed=6)
    together = task.micro_batches(batch_of(rows, LENGTH), 3, alone=False)
    found = sum(float(task.nats(model, part.on(torch.device("cpu"))).detach()) for part in together)
    wanted = 0.0
    for given, learned in (pair for row in rows for pair in row):
        ids = torch.tensor([[*given, *learned]])
        logs = model(input_ids=ids, use_cache=False).logits.log_softmax(-1)[0]
        wanted -= sum(float(logs[place - 1, ids[0, place]]) for place in range(len(given), ids.shape[1]))
    assert found == pytest.approx(wanted, rel=1e-5)
    assert sum(part.targets for part in together) == sum(len(pair[1]) for row in rows for pair in row)


def test_rows_come_apart_into_the_examples_that_they_were_made_of() -> None:
    rows = random_rows(6, LENGTH, VOCAB_SIZE, seed=7)
    found = [(one.given.tolist(), one.learned.tolist()) for one in unpack(batch_of(rows, LENGTH))]
    assert found == [(list(given), list(learned)) for row in rows for given, learned in row]


def test_rows_of_a_language_model_are_refused() -> None:
    ids = np.arange(1, 9, dtype=np.uint32).reshape(1, 8) & np.uint32(ID_BITS)
    with pytest.raises(DataError, match="sequence_id 7 holds no examples"):
        unpack(Batch(0, np.array([7]), ids, np.array([8], np.int32)))


def test_examples_of_similar_length_are_computed_together() -> None:
    draw = np.random.default_rng(8)
    examples = [
        Example(0, np.ones(size, np.int64), np.ones(max(1, size + draw.integers(-2, 3)), np.int64))
        for size in draw.integers(3, 40, 2000)
    ]
    groups = list(by_length(examples, 1024))
    assert sum(map(len, groups)) == len(examples)
    cells = [
        len(group) * (max(len(one.given) for one in group) + max(len(one.learned) for one in group))
        for group in groups
    ]
    assert max(cells) <= 1024
    assert 1 - sum(one.size for one in examples) / sum(cells) < 0.15
