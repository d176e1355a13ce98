"""Writes the model folder that `AutoModelForCausalLM` and `AutoTokenizer` open without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar

from ringlake.base.scratch import scratch_folder
from ringlake.base.storage import Folder
from training.errors import DataError
from training.models.made import write_made
from training.models.portable import make_portable
from training.models.tokens import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE

_TOKENIZER_FILES = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, "special_tokens_map.json")


def export_model(model: Any, tokenizer: Folder, target: Folder, facts: dict[str, Any]) -> None:
    """Write weights, configuration, tokenizer and a model card, then put the folder into place.

    An earlier model stays readable until the new one is complete. What a rank that was killed here has left
    goes first: the disk may be full of it.

    Args:
        model: The model (transformers).
        tokenizer: Folder with tokenizer.json and, if there is one, tokenizer_config.json.
        target: The model folder.
        facts: What the card says: name to value.

    Raises:
        DataError: `AutoTokenizer` would not give the ids of `tokenizer`.
    """
    disable_progress_bar()
    target.remove_staged()
    with scratch_folder("ringlake-model-", _beside(target)) as place:
        staged = Folder(str(place))
        # The path of a pretrained model to start from is nothing to publish.
        model.config._name_or_path = ""
        model.save_pretrained(staged.local_path)
        _put_tokenizer(tokenizer, staged)
        staged.write("README.md", _card(model, facts).encode())
        write_made(staged.local_path)
        target.replace_by(staged.local_path)


def check_export(config: Any, tokenizer: Folder) -> None:
    """DataError if the model folder would give other ids than its training; asked before there is a model.

    Args:
        config: Configuration of the model (transformers): its type decides too which tokenizer is opened.
        tokenizer: Folder with tokenizer.json.
    """
    with scratch_folder("ringlake-export-") as place:
        config.save_pretrained(place)
        _put_tokenizer(tokenizer, Folder(str(place)))


def _put_tokenizer(tokenizer: Folder, target: Folder) -> None:
    for name in _TOKENIZER_FILES:
        if tokenizer.exists(name):
            target.write(name, tokenizer.read(name))
    try:
        make_portable(Path(target.local_path))
    except DataError as error:
        raise DataError(f"the tokenizer in {tokenizer.location} cannot be exported: {error}") from error


def _beside(target: Folder) -> Path | None:
    """Where to stage: the disk of a local target has room for the model, /tmp may not."""
    if not target.is_local:
        return None
    parent = target.local_path.parent
    parent.mkdir(parents=True, exist_ok=True)
    return parent


def _card(model: Any, facts: dict[str, Any]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return (
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\n---\n"
        f"# A {model.config.model_type} language model trained by ringlake\n\n"
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained(folder)\n"
        "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
        "```\n\n"
        f"| fact | value |\n| --- | --- |\n{rows}\n"
    )
