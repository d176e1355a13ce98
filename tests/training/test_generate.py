"""Continuing prompts: a model folder of this or of other programs, one prompt or a padded batch of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from conf.generate import GenerateConfig
from conf.model import ModelConfig
from ringlake.base.storage import Folder
from tests.training.tiny import END_OF_DOCUMENT, VOCAB_SIZE, make_tokenizer
from training.errors import DataError
from training.generate import generate_text
from training.models.build import build_model
from training.models.document_mask import keep_apart
from training.models.export import export_model

# Weights so large that what a model says depends on every token and its place.
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.6},
    "llama": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "initializer_range": 0.6,
    },
}
PROMPTS = ["the", "the lazy dog returns the value", "return None if", "fox <|endoftext|> quick"]
GREEDY = GenerateConfig(max_new_tokens=8, temperature=0)
LENGTH = 64


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("generate") / "tokenizer")


def _export(kind: str, tokenizer_dir: Path, target: Path, *, document_mask: bool = False) -> Path:
    config = ModelConfig(architecture=kind, config=SIZES[kind])
    model = build_model(config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=5)
    if document_mask:
        keep_apart(model, 0)
    export_model(model, Folder(str(tokenizer_dir)), Folder(str(target)), {})
    return target


def _opened(folder: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    return model, AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("document_mask", [False, True])
@pytest.mark.parametrize("kind", SIZES)
def test_a_padded_batch_gives_what_single_prompts_give(
    kind: str, document_mask: bool, tokenizer_dir: Path, tmp_path: Path
) -> None:
    folder = _export(kind, tokenizer_dir, tmp_path / "model", document_mask=document_mask)
    model, tokenizer = _opened(folder)
    batch = tokenizer(PROMPTS, padding=True, return_tensors="pt")
    assert (batch["attention_mask"][:, -1] == 1).all() and (batch["attention_mask"][:, 0] == 0).any()
    options = {"do_sample": False, "max_new_tokens": 8, "min_new_tokens": 8}
    told = {"output_logits": True, "return_dict_in_generate": True}
    together = model.generate(**batch, **options, **told)
    for row, prompt in enumerate(PROMPTS):
        alone = model.generate(**tokenizer(prompt, return_tensors="pt"), **options, **told)
        assert together.sequences[row, -8:].tolist() == alone.sequences[0, -8:].tolist()
        for one, other in zip(together.logits, alone.logits, strict=True):
            torch.testing.assert_close(one[row], other[0], rtol=1e-3, atol=1e-3)
    # As ringlake begins a document: after the token that ends the one before.
    rows = [[0, *tokenizer(prompt)["input_ids"]] for prompt in PROMPTS]
    padded = tokenizer.pad({"input_ids": rows}, return_tensors="pt")
    made = model.generate(**padded, do_sample=False, max_new_tokens=8)
    for row, prompt in enumerate(PROMPTS):
        new = made[row, padded["input_ids"].shape[1] :]
        assert generate_text(folder, prompt, GREEDY) == tokenizer.decode(new, skip_special_tokens=True)


def test_the_place_in_a_batch_matters_to_these_models(tokenizer_dir: Path, tmp_path: Path) -> None:
    """The test above could not fail if all prompts were continued alike, or padding were seen as text."""
    folder = _export("llama", tokenizer_dir, tmp_path / "model")
    model, tokenizer = _opened(folder)
    assert len({generate_text(folder, prompt, GREEDY) for prompt in PROMPTS}) == len(PROMPTS)
    batch = tokenizer(PROMPTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        blind = model(input_ids=batch["input_ids"]).logits[0, -1]
        alone = model(**tokenizer(PROMPTS[0], return_tensors="pt")).logits[0, -1]
    assert not torch.allclose(blind, alone, rtol=1e-2, atol=1e-2)


def test_a_prompt_that_spells_the_end_token_is_text(tokenizer_dir: Path, tmp_path: Path) -> None:
    folder = _export("llama", tokenizer_dir, tmp_path / "model")
    model, _ = _opened(folder)
    plain = Tokenizer.from_file(str(tokenizer_dir / "tokenizer.json"))
    plain.encode_special_tokens = True
    for prompt in (END_OF_DOCUMENT, f"the {END_OF_DOCUMENT} fox{END_OF_DOCUMENT}"):
        ids = [0, *plain.encode(prompt).ids]
        assert ids.count(0) == 1
        made = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=8)
        expected = plain.decode(made[0, len(ids) :].tolist(), skip_special_tokens=True)
        assert generate_text(folder, prompt, GREEDY) == expected


@pytest.mark.parametrize("named", [True, False])
def test_a_tokenizer_that_spells_a_special_token_is_given_no_such_prompt(
    named: bool, tokenizer_dir: Path, tmp_path: Path
) -> None:
    """A model folder of another program, whose vocabulary leads to a special token by merges."""
    folder = _export("gpt2", tokenizer_dir, tmp_path / "model")
    tree = json.loads((folder / "tokenizer.json").read_text())
    assert "the" in tree["model"]["vocab"]
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    tokenizer.add_special_tokens([AddedToken("the", special=True, normalized=False)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_DOCUMENT}
    more = {"bos_token": "the"} if named else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | more))
    with pytest.raises(DataError, match=r"'the' cannot be continued.* special tokens \(the\)"):
        generate_text(folder, "the", GREEDY)
    assert isinstance(generate_text(folder, "fox", GREEDY), str)


def test_a_model_may_have_several_ends(tokenizer_dir: Path, tmp_path: Path) -> None:
    one = _export("llama", tokenizer_dir, tmp_path / "one")
    several = _export("llama", tokenizer_dir, tmp_path / "several")
    text = generate_text(one, "the", GREEDY)
    for name in ("config.json", "generation_config.json"):
        if (several / name).is_file():
            config = json.loads((several / name).read_text())
            (several / name).write_text(json.dumps(config | {"eos_token_id": [0, 299]}))
    assert text.startswith(generate_text(several, "the", GREEDY))
