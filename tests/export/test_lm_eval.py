"""The task that is written for `lm_eval`: the real tool reads it offline, and scores as ringlake does."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from pipelines.errors import InputError
from pipelines.export.lm_eval import TASK, export_lm_eval
from pipelines.lake import Lake
from ringlake.base.storage import Folder
from tests.report.lakes import put
from tests.support.tools import run_tool, tool_python
from tests.training.card.models import LENGTH, export
from training.models.tokens import TokenizerFile
from training.tasks.language_model import LanguageModel

LM_EVAL = "lm_eval==0.4.13"

TEXTS = [
    "the quick brown fox",
    "the lazy dog returns the value\nif it is missing",
    "<|endoftext|> is text here",
    "{{ 7 * 7 }} Caf\u00e9 \u65e5\u672c\u8a9e \U0001f642",
    "[1, 2]",
    " x ",
]


def corpus(lake: Lake, texts: list[str], split: str = "validation") -> None:
    rows = [
        {
            "doc_id": f"{number:032x}",
            "source": "in.jsonl",
            "text": text,
            "num_bytes": len(text.encode()),
            "lang": "en",
            "cluster_size": 1,
            "split": "train" if number == 0 else split,
        }
        for number, text in enumerate(["of the training split", *texts])
    ]
    put(lake, "corpus", rows)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "lake")
    lake.create()
    corpus(lake, TEXTS)
    return lake


def test_it_has_the_validation_texts_and_nothing_else(lake: Lake, tmp_path: Path) -> None:
    made = export_lm_eval(lake, str(tmp_path / "out"))
    assert (made.documents, made.version) == (len(TEXTS), 0)
    lines = (tmp_path / "out" / f"{TASK}.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == TEXTS
    files = [file.read_text("utf-8") for file in (tmp_path / "out").iterdir()]
    assert len(files) == 3
    assert not [text for text in files if str(tmp_path) in text]
    fewer = export_lm_eval(lake, str(tmp_path / "out"), documents=2)
    assert fewer.documents == 2
    assert len((tmp_path / "out" / f"{TASK}.jsonl").read_text("utf-8").splitlines()) == 2


def test_what_has_no_perplexity_is_told(lake: Lake, tmp_path: Path) -> None:
    row = {"split": "train", "sequence_id": 0, "input_ids": b"", "num_tokens": 0, "segments": []}
    put(lake, "sequences", [row], {"task": {"name": "translation"}})
    with pytest.raises(InputError, match="of the task 'translation'"):
        export_lm_eval(lake, str(tmp_path / "out"))
    put(lake, "sequences", [row], {})
    corpus(lake, TEXTS, "train")
    with pytest.raises(InputError, match=r"no validation texts; raise dedup\.validation_fraction"):
        export_lm_eval(lake, str(tmp_path / "out"))


def bits_per_byte(folder: Path, texts: list[str]) -> float:
    """Ringlake's own number for texts that each stand in a sequence behind an end-of-document token."""
    task = LanguageModel(0, apart=False, byte_lengths=TokenizerFile(Folder(str(folder))).byte_lengths())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    nats, num_bytes = 0.0, 0
    for text in texts:
        ids = [0, *tokenizer.encode(text, add_special_tokens=False).ids]
        assert len(ids) <= LENGTH, "longer texts are scored in parts, each tool has its own"
        tensors = {"input_ids": torch.tensor([ids]), "num_tokens": torch.tensor([len(ids)])}
        with torch.inference_mode():
            nats += float(task.nats(model, tensors))
        num_bytes += task.num_bytes(tensors)
    return nats / math.log(2) / num_bytes


@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_real_tool_scores_a_model_as_ringlake_does(lake: Lake, tmp_path: Path) -> None:
    python = tool_python("lm-eval", [LM_EVAL])
    model = export("language-model", tmp_path / "m")
    task = tmp_path / "task"
    export_lm_eval(lake, str(task))
    run_tool(
        python,
        *("-m", "lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model}"),
        *("--tasks", TASK, "--include_path", task, "--device", "cpu", "--batch_size", "2"),
        *("--output_path", tmp_path / "scores.json"),
        cwd=tmp_path,
        PYTHONWARNINGS="ignore",
    )
    (found,) = list(tmp_path.glob("scores*.json"))
    results: dict[str, Any] = json.loads(found.read_text())["results"][TASK]
    own = bits_per_byte(model, TEXTS)
    assert results["bits_per_byte,none"] == pytest.approx(own, rel=1e-4)
    assert results["byte_perplexity,none"] == pytest.approx(2**own, rel=1e-3)


def test_the_task_is_yaml_that_names_code_beside_it(lake: Lake, tmp_path: Path) -> None:
    export_lm_eval(lake, str(tmp_path))

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))  # type: ignore[arg-type]
    tree = yaml.load((tmp_path / f"{TASK}.yaml").read_text("utf-8"), Loader)
    assert tree["task"] == TASK
    assert tree["custom_dataset"] == f"{TASK}.texts"
    assert tree["output_type"] == "loglikelihood_rolling"
