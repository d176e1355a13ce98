"""Writes the model folder that `AutoModelForCausalLM` and `AutoTokenizer` open without a network."""

from __future__ import annotations

import json
import tempfile
from typing import Any

from transformers.utils.logging import disable_progress_bar

from training.storage import Folder
from training.tokens import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE

_TOKENIZER_FILES = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, "special_tokens_map.json")


def export_model(model: Any, tokenizer: Folder, target: Folder, facts: dict[str, Any]) -> None:
    """Write weights, configuration, tokenizer and a model card, then put the folder into place.

    An earlier model stays readable until the new one is complete.

    Args:
        model: The model (transformers).
        tokenizer: Folder with tokenizer.json and, if there is one, tokenizer_config.json.
        target: The model folder.
        facts: What the card says: name to value.
    """
    disable_progress_bar()
    with tempfile.TemporaryDirectory(prefix="ringlake-model-", dir=_beside(target)) as place:
        staged = Folder(place)
        model.save_pretrained(staged.local_path)
        for name in _TOKENIZER_FILES:
            if tokenizer.exists(name):
                staged.write(name, tokenizer.read(name))
        if not staged.exists(TOKENIZER_CONFIG_FILE):
            minimal = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
            staged.write(TOKENIZER_CONFIG_FILE, json.dumps(minimal, indent=1).encode())
        staged.write("README.md", _card(model, facts).encode())
        target.replace_by(staged.local_path)


def _beside(target: Folder) -> str | None:
    """Where to stage: the disk of a local target has room for the model, /tmp may not."""
    if not target.is_local:
        return None
    parent = target.local_path.parent
    parent.mkdir(parents=True, exist_ok=True)
    return str(parent)


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
