"""Writes the model folder that `transformers` opens without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar

from conf.card import CardConfig
from ringlake.base.scratch import scratch_folder
from ringlake.base.storage import Folder
from training.errors import DataError
from training.models.card.facts import model_facts
from training.models.card.render import render
from training.models.made import CARD_FILE, write_made
from training.models.portable import make_portable
from training.models.sides import TARGET_FOLDER
from training.models.tokens import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE
from training.tasks.language_model import LanguageModel
from training.tasks.task import Task

_TOKENIZER_FILES = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, "special_tokens_map.json")


def export_model(
    model: Any,
    tokenizer: Folder,
    target: Folder,
    facts: Mapping[str, Any],
    task: Task | None = None,
    terms: CardConfig | None = None,
    targets: Folder | None = None,
) -> None:
    """Write weights, configuration, tokenizer and README, then put the folder into place.

    An earlier model stays readable until the new one is complete. What a rank that was killed here has left
    goes first: the disk may be full of it.

    Args:
        model: The model (transformers).
        tokenizer: Folder with tokenizer.json and, if there is one, tokenizer_config.json.
        target: The model folder.
        facts: What the README says of the training, see `training.models.card.facts.training_facts`.
        task: What the model has learned; None: language modelling.
        terms: Licences and contact for the README; None: none is stated.
        targets: Folder of the tokenizer of the targets; None: they have that one.

    Raises:
        DataError: `AutoTokenizer` would not give the ids of `tokenizer`, or of `targets`.
    """
    task = task or LanguageModel(None, apart=False)
    disable_progress_bar()
    target.remove_staged()
    with scratch_folder("ringlake-model-", _beside(target)) as place:
        staged = Folder(str(place))
        # The path of a pretrained model to start from is nothing to publish.
        model.config._name_or_path = ""
        model.save_pretrained(staged.local_path)
        _put_tokenizers(tokenizer, targets, staged, task)
        card = {**model_facts(model, task), **facts}
        staged.write(CARD_FILE, render(card, terms or CardConfig()).encode())
        write_made(staged.local_path, card)
        target.replace_by(staged.local_path)


def check_export(
    config: Any, tokenizer: Folder, task: Task | None = None, targets: Folder | None = None
) -> None:
    """DataError if the model folder would give other ids than its training; asked before there is a model.

    Args:
        config: Configuration of the model (transformers): its type decides too which tokenizer is opened.
        tokenizer: Folder with tokenizer.json.
        task: What the model is to learn; None: language modelling.
        targets: Folder of the tokenizer of the targets; None: they have that one.
    """
    task = task or LanguageModel(None, apart=False)
    with scratch_folder("ringlake-export-") as place:
        config.save_pretrained(place)
        _put_tokenizers(tokenizer, targets, Folder(str(place)), task)


def _put_tokenizers(tokenizer: Folder, targets: Folder | None, model: Folder, task: Task) -> None:
    _put_tokenizer(tokenizer, model, task)
    if targets is not None:
        model.child(TARGET_FOLDER).create()
        _put_tokenizer(targets, model, task, TARGET_FOLDER)


def _put_tokenizer(tokenizer: Folder, model: Folder, task: Task, subfolder: str = "") -> None:
    place = model.child(subfolder) if subfolder else model
    for name in _TOKENIZER_FILES:
        if tokenizer.exists(name):
            place.write(name, tokenizer.read(name))
    try:
        make_portable(Path(model.local_path), task.padding_side, subfolder)
    except DataError as error:
        raise DataError(f"the tokenizer in {tokenizer.location} cannot be exported: {error}") from error


def _beside(target: Folder) -> Path | None:
    """Where to stage: the disk of a local target has room for the model, /tmp may not."""
    if not target.is_local:
        return None
    parent = target.local_path.parent
    parent.mkdir(parents=True, exist_ok=True)
    return parent
