"""The GPU benchmark: the whole of it on a CPU, and what it says where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks import gpu
from benchmarks.__main__ import main
from training.models.build import count_parameters
from training.models.flops import flops_per_token


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "count_gpus", lambda: 0)
    assert main(["gpu"]) == 2
    assert "--device cpu --model tiny" in capsys.readouterr().err


def test_rates_become_a_ratio_and_a_share_of_the_peak() -> None:
    facts = dict.fromkeys(gpu.FACTS) | {"flops": 2e9, "peak": 100.0}
    ours = [{"tokens_per_second": rate, **facts} for rate in (30_000.0, 10_000.0, 20_000.0)]
    found = gpu.summary({"ours": ours, "plain": [{"tokens_per_second": 25_000.0}]})
    assert found["ratio"] == 0.8
    # 20,000 tokens of 2 GFLOP a second are 40 of 100 TFLOP/s.
    assert found["mfu"] == pytest.approx(0.4)
    assert found["plain_mfu"] == pytest.approx(0.5)


def test_models_have_the_sizes_of_their_names() -> None:
    for name, parameters in (("124m", 124e6), ("350m", 353e6)):
        size = gpu.SIZES[name]
        assert size.model.architecture and size.model.config
        architecture = AutoConfig.for_model(
            size.model.architecture, vocab_size=size.vocab_size, **size.model.config
        )
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(architecture)
        assert count_parameters(model) == pytest.approx(parameters, rel=0.01)
        assert flops_per_token(model, size.length) > 6 * parameters


@pytest.mark.rare
def test_the_same_code_on_a_cpu(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    page = tmp_path / "profile.md"
    arguments = ["--device", "cpu", "--model", "tiny", "--rounds", "1", "--steps", "12", "--json"]
    assert main(["gpu", *arguments, "--profile-to", str(page)]) == 0
    value = json.loads(capsys.readouterr().out)
    found = value["models"]["tiny"]
    assert found["ratio"] == pytest.approx(found["tokens_per_second"] / found["plain_tokens_per_second"])
    assert found["ratio"] > 0
    assert found["mfu"] is None
    assert value["ring"]["2"]["right"]
    assert value["ring"]["2"]["backend"] == "gloo"
    assert "| `aten::mm` |" in page.read_text()
    assert "ring of 2" in gpu.text({**value, "command": ["gpu"]})
