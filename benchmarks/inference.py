"""Rows a second of a classifier: ringlake's one process and Spark, and a plain `transformers` pipeline.

python -m benchmarks inference                     3,000 docstrings, 6 layers with random weights
python -m benchmarks inference --rows 500 --rounds 1
python -m benchmarks inference --only pipeline,process

Each measurement is a process of its own, bound to one or two cores, with as many threads of torch. It opens
the model, then predicts all rows in rounds; the first round, which fills caches and on Spark starts the
workers and opens the model in them, is told apart. The pipeline has the batch size that is the fastest of 1,
8 and 32 on a part of the rows. Rows a second of processor time stand beside those of the clock: a busy
machine changes them less. Spark writes Delta tables; the others keep what they predict.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import describe
from benchmarks.tokenize_pack import tree_seconds

MEASURES = {
    "pipeline": (1, "transformers pipeline, 1 core"),
    "process": (1, "one process, 1 core"),
    "process2": (2, "one process, 2 cores"),
    "cluster": (1, "Spark local[1]"),
    "cluster2": (2, "Spark local[2]"),
}
"""Cores and name of each measurement."""

LONGEST = 256
"""Tokens that the model takes; texts are cut to fit."""

TEXT_CHARACTERS = 700


def main(argv: list[str]) -> int:
    """Measures, and prints a table or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks inference",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(MEASURES), help="names, parted by commas")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        sys.stdout.write(json.dumps(_measure(options.measure, Path(options.place), options.rounds)) + "\n")
        return 0
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="ringlake-inference-") as place:
        make(Path(place), options.rows)
        found = {name: _apart(name, place, options.rounds) for name in options.only.split(",")}
    value = {"benchmark": "inference", "machine": machine, "rows": options.rows, "measures": found}
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0


def make(place: Path, num_rows: int) -> None:
    """Writes the rows, as a table and as lines of JSON, and the model."""
    import pyarrow as pa
    from deltalake import write_deltalake

    texts = _docstrings(num_rows)
    (place / "rows.json").write_text(json.dumps(texts), encoding="utf-8")
    write_deltalake(str(place / "rows"), pa.table({"id": list(range(len(texts))), "text": texts}))
    _model(place / "model", texts)


def text(value: dict[str, Any]) -> str:
    """The table for people, with the ratios that are wanted."""
    lines = [f"{value['rows']:,} rows; {json.dumps(value['machine'])}", ""]
    lines.append(f"{'':32}{'first round':>12}{'rows/s':>10}{'rows/CPU s':>12}")
    rates = {}
    for name, found in value["measures"].items():
        rates[name] = median(found["rows_per_second"][1:] or found["rows_per_second"])
        cpu = median(found["rows_per_cpu_second"][1:] or found["rows_per_cpu_second"])
        first = found["rows_per_second"][0]
        lines.append(f"{MEASURES[name][1]:32}{first:12,.1f}{rates[name]:10,.1f}{cpu:12,.1f}")
    for over, under, what in (
        ("process", "pipeline", "one process over the pipeline, 1 core"),
        ("cluster", "pipeline", "Spark over the pipeline, 1 core"),
        ("cluster", "process", "Spark over one process, 1 core"),
        ("cluster2", "process", "Spark on 2 cores over one process on 1"),
        ("cluster2", "cluster", "Spark on 2 cores over Spark on 1"),
    ):
        if over in rates and under in rates:
            lines.append(f"{what}: {rates[over] / rates[under]:.2f}")
    return "\n".join(lines) + "\n"


def _apart(name: str, place: str, rounds: int) -> dict[str, Any]:
    """A measurement in a process of its own, on its cores."""
    cores, _ = MEASURES[name]
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    program = [sys.executable, "-m", "benchmarks", "inference", "--measure", name, "--place", place]
    done = subprocess.run(
        [*program, "--rounds", str(rounds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": str(cores), "TOKENIZERS_PARALLELISM": "false"},
        preexec_fn=lambda: os.sched_setaffinity(0, chosen),
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(name: str, place: Path, rounds: int) -> dict[str, Any]:
    cores, _ = MEASURES[name]
    texts: list[str] = json.loads((place / "rows.json").read_text("utf-8"))
    run = {"pipeline": _pipeline, "process": _process, "process2": _process}.get(name)
    work = _cluster(place, cores) if run is None else run(place, texts, cores)
    seconds, cpu = [], []
    for _ in range(rounds):
        began, before = time.monotonic(), tree_seconds()
        next(work)
        seconds.append(time.monotonic() - began)
        cpu.append(tree_seconds() - before)
    return {
        "rows_per_second": [len(texts) / each for each in seconds],
        "rows_per_cpu_second": [len(texts) / max(each, 1e-9) for each in cpu],
    }


def _pipeline(place: Path, texts: list[str], cores: int) -> Iterator[None]:
    import torch
    from transformers import pipeline

    torch.set_num_threads(cores)
    classify = pipeline("text-classification", model=str(place / "model"), device="cpu")

    def run(rows: list[str], size: int) -> None:
        for _ in classify(rows, batch_size=size, truncation=True, max_length=LONGEST):
            pass

    sample = texts[: max(32, len(texts) // 10)]
    run(sample[:32], 8)
    size = min((1, 8, 32), key=lambda size: _seconds(lambda: run(sample, size)))
    sys.stderr.write(f"pipeline: batch size {size}\n")
    while True:
        run(texts, size)
        yield


def _process(place: Path, texts: list[str], cores: int) -> Iterator[None]:
    from pipelines.predict.local import GROUP_ROWS
    from training.inference.opening import open_predictor
    from training.inference.options import Options

    predictor = open_predictor("classify", place / "model", Options(threads=cores))
    rows = [{"id": number, "text": each} for number, each in enumerate(texts)]
    while True:
        for start in range(0, len(rows), GROUP_ROWS):
            predictor.predict(rows[start : start + GROUP_ROWS])
        yield


def _cluster(place: Path, cores: int) -> Iterator[None]:
    from conf import load
    from pipelines.console.console import Console
    from pipelines.predict.cluster import predict_on_cluster
    from pipelines.predict.request import request
    from pipelines.session import open_session

    config = load(overrides=[f"spark.master=local[{cores}]", "spark.driver_memory=1g"])
    open_session(config.spark, "benchmark").range(1).count()
    wanted = request("classify", str(place / "model"))
    while True:
        predict_on_cluster(wanted, str(place / "rows"), str(place / "out"), config, Console(), force=True)
        yield


def _seconds(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _docstrings(num_rows: int) -> list[str]:
    """The beginnings of docstrings of the standard library, again and again if they are too few."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node)
                if text and len(text) > 60:
                    found[text[:TEXT_CHARACTERS]] = None
        if len(found) >= num_rows:
            break
    texts = list(found)
    return (texts * (1 + num_rows // len(texts)))[:num_rows]


def _model(folder: Path, texts: list[str]) -> None:
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForSequenceClassification

    folder.mkdir()
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=8000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    settings = named | {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LONGEST}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    config = BertConfig(
        vocab_size=8000,
        hidden_size=256,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=1024,
        max_position_embeddings=LONGEST,
        id2label={number: f"label {number}" for number in range(4)},
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
