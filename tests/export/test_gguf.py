"""GGUF files: llama.cpp itself gives texts the ids, and what follows them the odds, of the model folder."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from conf.model import ModelConfig
from ringlake.base.storage import Folder
from tests.support.tools import run_tool, tool_python
from tests.training.card.models import export
from tests.training.tiny import VOCAB_SIZE, make_tokenizer
from training.errors import DataError
from training.models.build import build_model
from training.models.export import export_model
from training.models.gguf import write_gguf

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ["gguf==0.19.0", "xllamacpp==2026.10.11549"]
"""The library that writes the files, and llama.cpp's own server, built for Python."""

TEXTS = [
    "the quick brown fox returns None if the value is missing",
    "Caf\u00e9 123456  don't\r\n\n\tx = {'\u65e5\u672c': 0.5}  # \U0001f642 \u2260 ok   ",
    " x",
    "<|endoftext|> is text",
]

ASKS = """
import json, sys, urllib.request
from pathlib import Path
from training.models.gguf import write_gguf

folder, out, texts, size, chosen = json.loads(sys.argv[1])
num_bytes = write_gguf(folder, Path(out))
import gguf, xllamacpp
fields = gguf.GGUFReader(out).fields
params = xllamacpp.CommonParams()
params.model.path = out
params.n_ctx = 64
params.n_parallel = 1
params.warmup = False
# Left to itself it rounds keys and values to float16.
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)

def ask(path, **question):
    body = json.dumps(question).encode()
    head = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.listening_address + path, body, head)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

found = []
for text in texts:
    ids = ask("/tokenize", content=text, add_special=True, parse_special=False)["tokens"]
    # The odds are those of the model. What is chosen must be a whole character, or they are not told.
    told = ask("/completion", prompt=ids, n_predict=1, n_probs=size, logit_bias=[[chosen, 1e4]])
    odds = told["completion_probabilities"][0]["top_logprobs"]
    found.append([ids, {item["id"]: item["logprob"] for item in odds}])
print(json.dumps({"bytes": num_bytes, "found": found, "fields": sorted(fields)}))
"""
"""Writes a GGUF file, then asks llama.cpp for the ids of texts and the probabilities of what follows."""


def untied(folder: Path) -> Path:
    """A llama whose keys and values have fewer heads than its queries, and whose head is no embedding."""
    tokenizer = make_tokenizer(folder / "tokenizer")
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
    }
    config = ModelConfig(architecture="llama", config=sizes)
    model = build_model(config, vocab_size=VOCAB_SIZE, sequence_length=64, end_id=0, seed=3)
    export_model(model, Folder(str(tokenizer)), Folder(str(folder / "model")), {})
    return folder / "model"


def asked(folder: Path, out: Path, size: int) -> dict[str, Any]:
    python = tool_python("gguf", REQUIREMENTS)
    letter = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id("a")
    arguments = json.dumps([str(folder), str(out), TEXTS, size, letter])
    done = run_tool(python, "-c", ASKS, arguments, cwd=out.parent, PYTHONPATH=str(ROOT))
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_llama_cpp_says_what_the_model_folder_says(tmp_path: Path) -> None:
    folder = untied(tmp_path)
    found = asked(folder, tmp_path / "model.gguf", VOCAB_SIZE)
    assert found["bytes"] == (tmp_path / "model.gguf").stat().st_size
    assert [path.name for path in tmp_path.glob("*.gguf*")] == ["model.gguf"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    for text, (ids, logs) in zip(TEXTS, found["found"], strict=True):
        assert ids == [0, *tokenizer(text)["input_ids"]], text
        with torch.inference_mode():
            own = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].double(), -1)
        assert len(logs) == VOCAB_SIZE
        for number, value in logs.items():
            assert math.isclose(value, float(own[int(number)]), abs_tol=1e-4), (text, number)


def test_the_package_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(DataError, match=r"install ringlake\[gguf\]"):
        write_gguf(str(tmp_path), tmp_path / "model.gguf")


class Nothing:
    """Stands for the package where a model is refused before it is used."""


@pytest.mark.parametrize("harm", ["normalizer", "split", "translation", "rope"])
def test_what_llama_cpp_would_read_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "gguf", Nothing())
    folder = export("translation" if harm == "translation" else "language-model", tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if harm == "normalizer":
        tokenizer.normalizer = normalizers.NFKC()
    elif harm == "split":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    if harm == "rope":
        config = json.loads((folder / "config.json").read_text())
        config["rope_parameters"] = {"rope_type": "yarn", "factor": 2.0, "rope_theta": 10000.0}
        (folder / "config.json").write_text(json.dumps(config))
    told = {
        "normalizer": "it has a normalizer",
        "split": "does not split texts as GPT-2's does",
        "translation": "only a causal llama",
        "rope": "rope_type = 'yarn'",
    }
    with pytest.raises(DataError, match=told[harm]):
        write_gguf(str(folder), tmp_path / "model.gguf")
    assert not list(tmp_path.glob("*gguf*"))
