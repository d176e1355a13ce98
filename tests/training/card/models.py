"""A tiny model folder of each task, exported as training exports it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from tokenizers import Tokenizer

from conf.card import CardConfig
from conf.model import ModelConfig
from conf.task import TaskName
from ringlake.base.storage import Folder
from tests.training.tiny import MARIAN, VOCAB_SIZE, make_tokenizer
from training.models.build import build_model
from training.models.chat import DEFAULT_TEMPLATE, ROLE_TOKENS
from training.models.export import export_model
from training.tasks.classification import Classification
from training.tasks.instruct import Instruct
from training.tasks.language_model import LanguageModel
from training.tasks.question_answering import QuestionAnswering
from training.tasks.task import Task
from training.tasks.translation import Translation

TASKS: tuple[TaskName, ...] = get_args(TaskName)
LENGTH = 64
LABELS = ("good", "<b>|bad`\n---", "\u202eodd")

_SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
_SIZES: dict[str, dict[str, Any]] = {
    "causal": {**_SMALL, "num_key_value_heads": 2},
    "seq2seq": MARIAN,
    "classification": _SMALL,
    "question-answering": _SMALL,
}


def task_of(name: TaskName, *, no_answer: bool = False) -> Task:
    made: dict[TaskName, Task] = {
        "language-model": LanguageModel(0, apart=False),
        "instruct": Instruct(0),
        "translation": Translation(0),
        "classification": Classification(LABELS, 0),
        "question-answering": QuestionAnswering(0, no_answer=no_answer),
    }
    return made[name]


def tokenizer_of(name: TaskName, folder: Path) -> Path:
    """A tokenizer as the tokenize stage makes it for a task; that of chats has roles and a template."""
    make_tokenizer(folder)
    if name == "instruct":
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.add_special_tokens(list(ROLE_TOKENS))
        tokenizer.save(str(folder / "tokenizer.json"))
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings["chat_template"] = DEFAULT_TEMPLATE
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def export(name: TaskName, folder: Path, *, no_answer: bool = False, **terms: Any) -> Path:
    """The model folder of a task with random weights."""
    task = task_of(name, no_answer=no_answer)
    tokenizer = tokenizer_of(name, folder / "tokenizer")
    model = build_model(
        ModelConfig(config=_SIZES[task.kind]),
        vocab_size=VOCAB_SIZE + (len(ROLE_TOKENS) if name == "instruct" else 0),
        sequence_length=LENGTH,
        end_id=0,
        seed=1,
        task=task,
    )
    task.prepare(model)
    target = folder / "model"
    export_model(model, Folder(str(tokenizer)), Folder(str(target)), {}, task, CardConfig(**terms))
    return target
