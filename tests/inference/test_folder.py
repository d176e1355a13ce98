"""What is opened: the kind of model that a verb needs, safetensors alone, no code of the folder's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from training.errors import DataError
from training.inference.batches import plan
from training.inference.folder import check_model, model_identity, natural_verb
from training.inference.opening import open_predictor
from training.inference.options import VERBS, Options


def test_each_verb_takes_its_kind_and_tells_what_another_is(models: dict[str, Path]) -> None:
    for verb in VERBS:
        check_model(verb, str(models[verb]))
    with pytest.raises(DataError, match="is a llama with a causal head; classify needs a classif"):
        check_model("classify", str(models["generate"]))
    with pytest.raises(DataError, match="is a bert with a classification head; generate needs a causal head"):
        check_model("generate", str(models["classify"]))
    with pytest.raises(DataError, match="is a bart with a sequence-to-sequence head; embed needs an encoder"):
        check_model("embed", str(models["translate"]))
    check_model("embed", str(models["generate"]))
    check_model("embed", str(models["classify"]))


def test_pickled_weights_and_own_code_are_refused(models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(models["embed"], tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin.*safetensors"):
        open_predictor("embed", folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(DataError, match="no weights"):
        open_predictor("embed", folder)
    shutil.copy(models["embed"] / "model.safetensors", folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModel": "modeling.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="'mine' needs code of its own"):
        open_predictor("embed", folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        open_predictor("embed", folder)
    with pytest.raises(DataError, match=r"no config\.json"):
        open_predictor("embed", tmp_path)


def test_the_identity_follows_the_content(models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(models["embed"], tmp_path / "model")
    before = model_identity(str(folder))
    assert before == model_identity(str(models["embed"]))
    (folder / "README.md").write_text("nothing that is loaded")
    assert model_identity(str(folder)) == before
    (folder / "tokenizer_config.json").write_text("{}")
    assert model_identity(str(folder)) != before


@pytest.mark.parametrize(
    "options", [{"beams": 0}, {"batch_tokens": True}, {"precision": "int4"}, {"max_new_tokens": 1.5}]
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=next(iter(options))):
        Options(**options)


def test_bf16_needs_a_gpu(models: dict[str, Path]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DataError, match="needs a GPU"):
        open_predictor("embed", models["embed"], Options(precision="bf16"))


def test_an_unknown_verb_is_told_with_the_known_ones(models: dict[str, Path]) -> None:
    with pytest.raises(DataError, match="'sing' is not known; it is generate, translate"):
        open_predictor("sing", models["embed"])


def test_batches_have_every_row_once_and_keep_the_budget() -> None:
    lengths = [5, 100, 3, 3, 7, 50, 50, 1]
    batches = list(plan(lengths, 100))
    assert sorted(row for batch in batches for row in batch) == list(range(8))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 100


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
