"""Training on GPUs: tokens a second and MFU beside a plain loop, NCCL through the launcher, a kernel profile.

python -m benchmarks gpu                                     124M and 350M, bf16, compiled; about 8 minutes
python -m benchmarks gpu --device cpu --model tiny           the same code where there is no GPU

Both loops train the same model with the same batches, micro-batches, precision, compilation and optimizer, in
turns, each in a fresh process of the launcher. Ours has its reader, its log, the last validation and the
checkpoint; the plain one is a few lines of PyTorch on tokens that are on the device already. MFU counts model
FLOP as training/models/flops.py does, over the device's dense peak. Exit code 2 where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import corpus, gpu_ranks
from benchmarks.machine import describe
from conf.model import ModelConfig
from conf.spark import SparkConfig
from conf.train import TrainConfig
from training.job import TrainJob

PROFILE = Path(__file__).resolve().parents[1] / "docs" / "gpu-profile.md"

RING_NUMBERS = {"cuda": 124_000_000, "cpu": 1_000_000}
"""Elements that the ring sums: the gradients of the smaller model."""

WARM_UP = 5

FACTS = ("parameters", "device", "memory_bytes", "data_wait_share", "peak", "profile")
"""What the first round of our loop told, for the table and the profile."""


@dataclass(frozen=True)
class Size:
    """A model and how it is trained.

    Attributes:
        model: Its section.
        vocab_size: Entries.
        length: Tokens in a sequence.
        batch: Sequences in a step.
        micro_batch: Sequences computed at once.
        steps: Steps of a round; the first `WARM_UP` and those in the profiler are not counted.
    """

    model: ModelConfig
    vocab_size: int
    length: int
    batch: int
    micro_batch: int
    steps: int


def _llama(hidden: int, inner: int, layers: int, heads: int) -> ModelConfig:
    return ModelConfig(
        architecture="llama",
        config={
            "hidden_size": hidden,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "tie_word_embeddings": True,
        },
    )


SIZES = {
    # GPT-2's small and medium in numbers, width and depth; the vocabulary is a multiple of 128.
    "124m": Size(_llama(768, 2048, 12, 12), 50_304, 1024, 64, 32, 48),
    "350m": Size(_llama(1024, 2736, 24, 16), 50_304, 1024, 64, 16, 28),
    "tiny": Size(_llama(64, 128, 2, 2), 512, 64, 8, 4, 28),
}


def main(argv: list[str]) -> int:
    """Measures and prints a table, or JSON; 2 where there is no GPU and none was waived."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--model", default="124m,350m", help=f"of {', '.join(SIZES)}, with commas")
    parser.add_argument("--rounds", type=int, default=2, help="times that both loops run, in turn")
    parser.add_argument("--steps", type=int, help="steps of a round instead of the model's own")
    parser.add_argument("--batch", type=int, help="sequences in a step")
    parser.add_argument("--micro-batch", type=int, help="sequences computed at once")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), help="bf16 on a GPU, else fp32")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="on a GPU, unless it is turned off"
    )
    parser.add_argument("--peak-tflops", type=float, help="of a device that training/device.py does not know")
    parser.add_argument(
        "--profile-to",
        type=Path,
        help=f"Markdown file for the kernels; on a GPU {PROFILE.parent.name}/{PROFILE.name}",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    names = options.model.split(",")
    if unknown := sorted(set(names) - set(SIZES)):
        parser.error(f"there is no model {', '.join(unknown)}; there are: {', '.join(SIZES)}")
    num_gpus = count_gpus()
    if options.device == "cuda" and not num_gpus:
        sys.stderr.write(
            "benchmarks: this machine has no GPU that torch can use; to run the same code on the CPU: "
            "python -m benchmarks gpu --device cpu --model tiny\n"
        )
        return 2
    value = measure(options, names, num_gpus)
    value |= {"benchmark": "gpu", "command": ["gpu", *argv]}
    profile_to = options.profile_to or (PROFILE if options.device == "cuda" else None)
    if profile_to is not None:
        profile_to.write_text(profile_text(value), encoding="utf-8")
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0


def count_gpus() -> int:
    """GPUs that torch can use here."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def measure(options: argparse.Namespace, names: Sequence[str], num_gpus: int) -> dict[str, Any]:
    """Rates of both loops for each model, and the sums over rings."""
    from pyspark.sql import SparkSession

    from training.launch import LaunchOptions, launch

    on_cpu = options.device == "cpu"
    if on_cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    machine = describe()
    slots = 2 if on_cpu else num_gpus
    models: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ringlake-gpu-") as temporary:
        folder = Path(temporary)
        shares_session = SparkSession.getActiveSession() is not None
        spark = open_spark(folder, slots, on_cpu)

        def run(function: Any, ranks: int, *args: Any) -> Any:
            # Threads of two loops that wait for each other's cores say nothing of either.
            threads: Any = 1 if on_cpu else "auto"
            return launch(
                function,
                ranks,
                spark=spark,
                args=args,
                options=LaunchOptions(threads_per_rank=threads, stall_seconds=600, say=_say),
            )[0]

        try:
            for name in names:
                config = train_config(SIZES[name], options)
                rounds: dict[str, list[dict[str, Any]]] = {"ours": [], "plain": []}
                for number in range(options.rounds):
                    job = make_job(folder / f"{name}-{number}", SIZES[name], config)
                    turns = [("ours", gpu_ranks.train_ours), ("plain", gpu_ranks.train_plainly)]
                    for kind, loop in turns if number % 2 == 0 else reversed(turns):
                        found = run(loop, 1, job, WARM_UP)
                        _say(f"{name}, {kind}: {found['tokens_per_second']:,.0f} tokens/s")
                        rounds[kind].append(found)
                models[name] = summary(rounds) | {"train": facts_of(config, SIZES[name])}
            numbers = RING_NUMBERS[options.device]
            # One rank alone shows that NCCL starts; on a CPU it would show nothing.
            rings = [slots] if on_cpu else range(1, slots + 1)
            ring = {ranks: run(gpu_ranks.sum_over_the_ring, ranks, numbers, 5) for ranks in rings}
        finally:
            if not shares_session:
                spark.stop()
    return {"machine": machine, "device": options.device, "models": models, "ring": ring}


def summary(rounds: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Medians over the rounds, our rate over the plain one, and the share of the device's peak."""
    ours, plain = (
        statistics.median(found["tokens_per_second"] for found in rounds[kind]) for kind in ("ours", "plain")
    )
    first = rounds["ours"][0]
    peak = first["peak"]

    def mfu(rate: float) -> float | None:
        return None if peak is None else rate * first["flops"] / (peak * 1e12)

    return {
        "tokens_per_second": ours,
        "plain_tokens_per_second": plain,
        "ratio": ours / plain,
        "mfu": mfu(ours),
        "plain_mfu": mfu(plain),
        "tflops": ours * first["flops"] / 1e12,
        **{key: first[key] for key in FACTS},
    }


def train_config(size: Size, options: argparse.Namespace) -> TrainConfig:
    """One rank, no validation or checkpoint but at the end."""
    on_gpu = options.device == "cuda"
    steps = options.steps or size.steps
    if steps <= WARM_UP + gpu_ranks.PROFILED_STEPS:
        raise SystemExit(
            f"--steps {steps} is too few: {WARM_UP} warm up and {gpu_ranks.PROFILED_STEPS} are profiled"
        )
    return TrainConfig(
        num_ranks=1,
        steps=steps,
        global_batch_size=options.batch or size.batch,
        micro_batch_size=options.micro_batch or size.micro_batch,
        learning_rate=3e-4,
        min_learning_rate=3e-5,
        warmup_steps=2,
        precision=options.precision or ("bf16" if on_gpu else "fp32"),
        compile=on_gpu if options.compile is None else options.compile,
        validate_every=steps,
        validate_sequences=8,
        checkpoint_every=steps,
        log_every=10,
        peak_tflops=options.peak_tflops,
    )


def facts_of(config: TrainConfig, size: Size) -> dict[str, Any]:
    """What was trained, for the table."""
    return {
        "precision": config.precision,
        "compile": config.compile,
        "batch": config.global_batch_size,
        "micro_batch": config.micro_batch_size,
        "length": size.length,
    }


def make_job(folder: Path, size: Size, config: TrainConfig) -> TrainJob:
    """A job on random tokens in the layout that packing writes."""
    from schemas.token_ids import binary_ids, token_bytes, token_type
    from training.data.layout import read_layout
    from training.data.snapshot import DataFile, Snapshot
    from training.sources import open_sources

    stored = token_bytes(size.vocab_size)
    tokenizer = _make_tokenizer(folder / "tokenizer", size.vocab_size)
    generator = np.random.default_rng(1)
    snapshots = []
    for split, rows in (("train", 32 * (config.global_batch_size or 1)), ("validation", 8)):
        ids = generator.integers(0, size.vocab_size, (rows, size.length), dtype=np.int32)
        table = pa.table(
            {
                "sequence_id": pa.array(np.arange(rows), pa.int64()),
                "input_ids": binary_ids(
                    ids.reshape(-1).astype(token_type(stored)), np.full(rows, size.length)
                ),
                "num_tokens": pa.array(np.full(rows, size.length), pa.int32()),
                "segments": pa.array([[{"doc_id": "d", "start": 0}]] * rows),
            }
        )
        path = folder / f"{split}.parquet"
        pq.write_table(table, path, row_group_size=256)
        files = (DataFile(str(path), rows),)
        snapshots.append(
            Snapshot(str(folder), 0, split, files, size.length, size.vocab_size, "0" * 64, stored)
        )
    sources = open_sources(config, snapshots[0], [])
    return TrainJob(
        model=size.model,
        config=config,
        plan=sources.plan,
        train=sources.layout,
        validation=read_layout(snapshots[1]),
        vocab_size=size.vocab_size,
        tokenizer_dir=str(tokenizer),
        checkpoint_dir=str(folder / "checkpoints"),
        model_dir=str(folder / "model"),
        source=sources.identity,
    )


def open_spark(folder: Path, slots: int, on_cpu: bool) -> Any:
    """Local threads for a CPU; for GPUs an executor of its own, whose tasks get a GPU each."""
    from pipelines.session import open_session

    if on_cpu:
        config = SparkConfig(master=f"local[{slots}]", driver_memory="1g", shuffle_partitions=2)
        return open_session(config, "gpu benchmark", Path(os.devnull))
    # The executor's folder is elsewhere, and its ranks import this package.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(corpus.ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["SPARK_WORKER_DIR"] = str(folder / "work")
    script = folder / "gpus.sh"
    addresses = json.dumps({"name": "gpu", "addresses": [str(number) for number in range(slots)]})
    script.write_text(f"#!/bin/sh\necho '{addresses}'\n")
    script.chmod(0o755)
    conf = {
        "spark.executor.memory": "1g",
        "spark.worker.resource.gpu.amount": str(slots),
        "spark.worker.resource.gpu.discoveryScript": str(script),
        "spark.executor.resource.gpu.amount": str(slots),
        "spark.task.resource.gpu.amount": "1",
    }
    config = SparkConfig(
        master=f"local-cluster[1,{slots},1024]", driver_memory="1g", shuffle_partitions=2, conf=conf
    )
    return open_session(config, "gpu benchmark", Path(os.devnull))


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    head = ["model", "parameters", "tokens/s", "plain loop", "ratio", "TFLOP/s", "MFU", "plain MFU"]
    head += ["data wait", "GiB", "how"]
    rows = []
    for name, found in value["models"].items():
        train = found["train"]
        how = f"{train['precision']}{', compiled' if train['compile'] else ''}, "
        how += f"{train['batch']} x {train['length']} in parts of {train['micro_batch']}"
        cells = [f"{found['parameters']:,}"]
        cells += [f"{found[key]:,.0f}" for key in ("tokens_per_second", "plain_tokens_per_second")]
        cells += [f"{found['ratio']:.3f}", f"{found['tflops']:.3g}"]
        cells += ["-" if found[key] is None else f"{found[key]:.1%}" for key in ("mfu", "plain_mfu")]
        memory = found["memory_bytes"]
        cells += [f"{found['data_wait_share']:.1%}", "-" if memory is None else f"{memory / 2**30:.1f}", how]
        rows.append([name, *cells])
    ring_rows = []
    for name, found in value["ring"].items():
        ranks = int(name)
        # Each rank sends and receives 2 (W - 1) / W of the tensor (ring all-reduce).
        wire = found["bytes"] * 2 * (ranks - 1) / ranks / found["seconds"] / 1e9
        cells = [found["backend"], found["device"], f"{1000 * found['seconds']:.2f}", f"{wire:.2f}"]
        ring_rows.append([f"ring of {ranks}", *cells, "right" if found["right"] else "WRONG"])
    ring_head = ["", "over", "device", "ms a sum", "GB/s a rank", "sum"]
    return "\n".join(
        [
            corpus.table_text(head, rows),
            corpus.table_text(ring_head, ring_rows),
            f"python -m benchmarks {' '.join(value['command'])}",
            json.dumps(value["machine"]),
            "",
        ]
    )


def profile_text(value: Mapping[str, Any]) -> str:
    """The kernels of each model as a page of the documentation."""
    command = " ".join(value["command"])
    lines = ["# Kernel profile of a training step", ""]
    lines += [
        f"Written by `python -m benchmarks {command}`; {gpu_ranks.PROFILED_STEPS} steps of our loop.",
        "",
    ]
    for name, found in value["models"].items():
        lines += [f"## {name} on {found['device']}", ""]
        lines += ["| kernel | calls | ms | share |", "| --- | --- | --- | --- |"]
        for row in found["profile"]:
            kernel = " ".join(row["name"].replace("|", "\\|").replace("`", "").split())[:100]
            lines.append(f"| `{kernel}` | {row['calls']} | {row['ms']:.2f} | {row['share']:.1%} |")
        lines.append("")
    machine = value["machine"]
    lines += [f"{machine['cpu']}, {machine['system']}, versions {json.dumps(machine['versions'])}", ""]
    return "\n".join(lines)


def _make_tokenizer(folder: Path, vocab_size: int) -> Path:
    """A byte-level BPE of so many entries, of which each is one or two bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    end = "<|endoftext|>"
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = (first + second for first in letters for second in letters)
    entries = [end, *letters]
    merges = []
    while len(entries) < vocab_size:
        pair = next(pairs)
        entries.append(pair)
        merges.append((pair[0], pair[1]))
    tokenizer = Tokenizer(models.BPE({entry: number for number, entry in enumerate(entries)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([end])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    return folder


def _say(line: str) -> None:
    print(line, file=sys.stderr)
