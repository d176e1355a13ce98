"""The operations of a token against torch's own count of what the model really multiplies."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from training.device import peak_memory, peak_tflops
from training.models.flops import flops_per_token

LENGTH, ROWS = 64, 2

LLAMA = {
    "vocab_size": 300, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": LENGTH,
}  # fmt: skip
GPT2 = {"vocab_size": 300, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": LENGTH}


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("llama", {**LLAMA, "tie_word_embeddings": True}),
        ("llama", {**LLAMA, "tie_word_embeddings": False}),
        ("llama", {**LLAMA, "head_dim": 32}),
        ("gpt2", GPT2),
    ],
)
def test_the_formula_is_what_forward_and_backward_multiply(architecture: str, settings: Any) -> None:
    config = AutoConfig.for_model(architecture, **settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    ids = torch.randint(0, 300, (ROWS, LENGTH))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, use_cache=False).logits.float().sum().backward()
    counted = counter.get_total_flops() / (ROWS * LENGTH)
    # Norms and biases are in N but multiply nothing that torch counts; the first layer's input needs no
    # gradient. Both are below 3% here.
    assert flops_per_token(model, LENGTH) == pytest.approx(counted, rel=0.03)


def test_a_cpu_has_memory_but_no_known_peak() -> None:
    device = torch.device("cpu")
    assert peak_tflops(device, "bf16") is None
    before = peak_memory(device)
    held = bytearray(before // 2 + 2**26)
    held[::4096] = b"x" * len(held[::4096])
    assert peak_memory(device) > before // 2 + 2**26


@pytest.mark.parametrize(
    ("name", "precision", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989.4),
        ("NVIDIA H100 PCIe", "bf16", 756.0),
        ("NVIDIA A100-SXM4-80GB", "fp32", 19.5),
        ("NVIDIA H200", "fp16", 989.4),
        ("NVIDIA GeForce GTX 1080", "bf16", None),
    ],
)
def test_known_gpus_have_a_peak(
    monkeypatch: pytest.MonkeyPatch, name: str, precision: str, tflops: float | None
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: name)
    assert peak_tflops(torch.device("cuda", 0), precision) == tflops
