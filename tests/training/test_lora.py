"""Adapters: they and a new head alone learn, the exported model has them in its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

from conf.lora import LoraConfig
from conf.model import ModelConfig
from ringlake.base.storage import Folder
from tests.training.tiny import make_config
from training.errors import DataError
from training.models.build import build_model
from training.models.lora import ADAPTERS, add_adapters, export_adapters, has_adapters, merge_adapters
from training.optim import make_optimizer, named_parameters
from training.tasks.classification import Classification
from training.tasks.language_model import LanguageModel
from training.tasks.task import Task

VOCAB_SIZE, LENGTH = 64, 16
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True)).save_pretrained(folder)
    return folder


def adapted(folder: Path, task: Task, **more: Any) -> Any:
    model = build_model(
        ModelConfig(pretrained=str(folder)),
        vocab_size=VOCAB_SIZE,
        sequence_length=LENGTH,
        end_id=0,
        seed=1,
        task=task,
    )
    add_adapters(model, LoraConfig(rank=4, **more), task, seed=1)
    return model


def learn(model: Any, ids: torch.Tensor) -> None:
    """A few steps, so that adapters are more than nothing."""
    optimizer = make_optimizer(model, make_config())
    for _ in range(5):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def test_only_adapters_learn_and_the_model_has_them(llama: Path, tmp_path: Path) -> None:
    task = LanguageModel(0, apart=False)
    model = adapted(llama, task)
    base = {name: value.clone() for name, value in model.state_dict().items()}
    assert all("lora_" in name for name in named_parameters(model))
    ids = torch.randint(0, VOCAB_SIZE, (4, LENGTH))
    learn(model, ids)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, base[name])}
    assert changed == set(named_parameters(model))
    model.eval()
    wanted = model(ids).logits
    folder = Folder(str(tmp_path / "model"))
    export_adapters(model, folder)
    merged = merge_adapters(model)
    assert not has_adapters(merged)
    torch.testing.assert_close(merged(ids).logits, wanted, rtol=1e-4, atol=1e-5)
    merged.save_pretrained(tmp_path / "model")
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    torch.testing.assert_close(opened(ids).logits, wanted, rtol=1e-4, atol=1e-5)
    assert set(opened.state_dict()) == set(AutoModelForCausalLM.from_pretrained(llama).state_dict())

    from peft import PeftModel

    beside = Path(str(tmp_path / "model") + ADAPTERS)
    assert json.loads((beside / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"] is None
    assert str(llama) not in "".join(file.read_text("utf-8", "replace") for file in beside.iterdir())
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), beside).eval()
    torch.testing.assert_close(again(ids).logits, wanted, rtol=1e-4, atol=1e-5)


def test_ranks_begin_with_the_same_adapters(llama: Path) -> None:
    task = LanguageModel(0, apart=False)
    one, other = (named_parameters(adapted(llama, task)) for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_new_head_learns_as_a_whole(tmp_path: Path) -> None:
    BertModel(BertConfig(**SIZES, max_position_embeddings=LENGTH)).save_pretrained(tmp_path)
    model = adapted(tmp_path, Classification(("bad", "good"), 0))
    whole = {name for name in named_parameters(model) if "lora_" not in name}
    assert whole == {"classifier.weight", "classifier.bias"}
    assert any("encoder.layer.1.attention" in name for name in named_parameters(model))


def test_targets(llama: Path) -> None:
    task = LanguageModel(0, apart=False)
    names = named_parameters(adapted(llama, task, targets=("q_proj", "v_proj")))
    assert {name.split(".")[4] for name in names} == {"q_proj", "v_proj"}
    with pytest.raises(DataError, match=r"train\.lora\.targets = \['nothing'\]"):
        adapted(llama, task, targets=("nothing",))


def test_a_model_that_is_divided_takes_none() -> None:
    with pytest.raises(ValueError, match=r"lora\.rank = 4 does not go with a strategy \(ddp\)"):
        make_config(lora={"rank": 4}, strategy={"name": "ddp", "ddp": {"shard": True}})
    assert make_config(lora={"rank": 4}, strategy={"name": "ddp"}).lora.rank == 4
