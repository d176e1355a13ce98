"""A model folder whose targets have a tokenizer of their own: what is exported, and who opens it how."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from conf.model import ModelConfig
from ringlake.base.storage import Folder
from tests.training.tiny import END_OF_DOCUMENT, MARIAN, make_tokenizer
from training.errors import DataError
from training.inference.folder import model_identity
from training.inference.opening import open_predictor
from training.inference.options import Options
from training.inference.predictor import Prediction
from training.models.build import build_model
from training.models.content import start_content
from training.models.export import check_export, export_model
from training.models.made import is_whole
from training.tasks.basis import Targets
from training.tasks.translation import Translation

TEXT = f"return the value \u4e00 {END_OF_DOCUMENT}</s>"


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Folder]:
    """That of the texts, and one in which every token has another number and another one ends a text."""
    texts = make_tokenizer(tmp_path_factory.mktemp("texts"))
    targets = shutil.copytree(texts, tmp_path_factory.mktemp("targets") / "own")
    tree = json.loads((targets / "tokenizer.json").read_text())
    size = len(tree["model"]["vocab"])
    tree["model"]["vocab"] = {
        "</s>" if token == END_OF_DOCUMENT else token: size - 1 - number
        for token, number in tree["model"]["vocab"].items()
    }
    tree["added_tokens"][0] |= {"id": size - 1, "content": "</s>"}
    (targets / "tokenizer.json").write_text(json.dumps(tree))
    settings = json.loads((targets / "tokenizer_config.json").read_text()) | {"eos_token": "</s>"}
    (targets / "tokenizer_config.json").write_text(json.dumps(settings))
    return Folder(str(texts)), Folder(str(targets))


@pytest.fixture(scope="module")
def folder(tokenizers: tuple[Folder, Folder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = Translation(0, targets=Targets(300, 299))
    config = ModelConfig(config=MARIAN)
    model = build_model(config, vocab_size=300, sequence_length=64, end_id=0, seed=4, task=task)
    task.prepare(model)
    check_export(model.config, tokenizers[0], task, tokenizers[1])
    place = tmp_path_factory.mktemp("exported") / "model"
    export_model(model, tokenizers[0], Folder(str(place)), {}, task, targets=tokenizers[1])
    return place


def ids(tokenizer: Folder, text: str) -> list[int]:
    plain = Tokenizer.from_str(tokenizer.read("tokenizer.json").decode())
    plain.encode_special_tokens = True
    return list(plain.encode(text, add_special_tokens=False).ids)


def test_each_side_opens_with_the_ids_of_training(folder: Path, tokenizers: tuple[Folder, Folder]) -> None:
    for tokenizer, subfolder in zip(tokenizers, ("", "target"), strict=True):
        opened = AutoTokenizer.from_pretrained(folder, subfolder=subfolder)
        found = opened(TEXT, add_special_tokens=False)["input_ids"]
        assert found == ids(tokenizer, TEXT)
        assert opened.decode(found) == TEXT
    assert ids(tokenizers[0], TEXT) != ids(tokenizers[1], TEXT)


def test_what_is_written_is_read_by_the_tokenizer_of_the_targets(folder: Path) -> None:
    (found,) = open_predictor("translate", folder, Options(beams=2, max_new_tokens=8)).predict(
        [{"text": "dog"}]
    )
    assert isinstance(found, Prediction)
    texts, targets = (AutoTokenizer.from_pretrained(folder, subfolder=name) for name in ("", "target"))
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    given = torch.tensor([texts("dog")["input_ids"]])
    made = model.generate(given, num_beams=2, max_new_tokens=8)[0]
    assert found.value == targets.decode(made, skip_special_tokens=True)
    assert found.value
    assert found.value != texts.decode(made, skip_special_tokens=True)


def test_a_folder_that_has_lost_one_is_told(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    assert is_whole(Folder(str(copy)))
    identity, content = model_identity(str(copy)), start_content(ModelConfig(pretrained=str(copy)))
    settings = copy / "target" / "tokenizer_config.json"
    settings.write_text(settings.read_text() + " ")
    assert model_identity(str(copy)) != identity
    assert start_content(ModelConfig(pretrained=str(copy))) != content
    shutil.rmtree(copy / "target")
    assert not is_whole(Folder(str(copy)))
    with pytest.raises(DataError, match=r"has no target/tokenizer\.json; copy that folder"):
        open_predictor("translate", copy)


def test_the_folder_travels_whole_where_it_is_not_local(folder: Path) -> None:
    remote = Folder("memory://sides/model")
    remote.replace_by(folder)
    assert is_whole(remote)
    assert model_identity(remote.location) == model_identity(str(folder))
    with remote.as_local("target") as place:
        assert AutoTokenizer.from_pretrained(place, subfolder="target").eos_token == "</s>"
    remote.remove()


def test_its_readme_opens_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    page = (folder / "README.md").read_text("utf-8")
    block = page.split("```python\n", 1)[1].split("```", 1)[0]
    assert 'subfolder="target"' in block
    exec(compile(block, "README.md", "exec"), {})
