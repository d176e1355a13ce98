"""Training on one rank, in this process: what it computes, and that a resume computes the same."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from conf.generate import GenerateConfig
from conf.model import ModelConfig
from ringlake.base.storage import Folder
from tests.training.times import check_times
from tests.training.tiny import (
    END_OF_DOCUMENT,
    LENGTH,
    MODEL,
    NUM_TRAIN,
    SIZES,
    VOCAB_SIZE,
    make_config,
    make_job,
)
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import sequential_schedule
from training.errors import DataError, TrainingError
from training.evaluate import evaluate_rank, score
from training.generate import generate_text
from training.job import EvaluateJob, TrainJob
from training.logs.metrics import combine_hashes, hash_ids, read_metrics
from training.loop import train_rank
from training.models.build import build_model, load_model
from training.models.tokens import TokenizerFile
from training.outcome import Trained
from training.step import Stepper
from training.strategies.single import Single
from training.tasks.make import make_task


def metrics(job: TrainJob) -> list[dict[str, Any]]:
    return read_metrics(Folder(job.checkpoint_dir))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainJob, Trained]:
    """An undisturbed training."""
    job = make_job(tmp_path_factory.mktemp("finished"))
    return job, train_rank(job)


def test_the_log_has_every_step_with_the_batch_of_the_plan(finished: tuple[TrainJob, Trained]) -> None:
    job, trained = finished
    lines = metrics(job)
    assert [line["step"] for line in lines] == list(range(1, 21))
    for line in lines:
        ids = np.concatenate(job.plan.batch(line["step"] - 1))
        assert line["ids_hash"] == combine_hashes(hash_ids(ids))
        assert line["sequences"] == len(ids)
        padding = (LENGTH - 5) * int(NUM_TRAIN - 1 in ids)
        assert line["tokens"] == len(ids) * LENGTH - padding
    assert sum(line["sequences"] for line in lines) == trained.totals.sequences == 2 * NUM_TRAIN
    assert {"step", "epoch", "loss", "lr", "grad_norm", "tokens_per_second", "data_wait_share"} <= set(
        lines[0]
    )
    assert [line["step"] for line in lines if "validation_loss" in line] == [10, 20]
    assert lines[-1]["validation_loss"] == trained.totals.validation_loss


def test_the_log_says_where_the_time_went_and_what_the_model_computed(
    finished: tuple[TrainJob, Trained],
) -> None:
    job, trained = finished
    check_times(metrics(job))
    for line in metrics(job):
        assert line["communication_seconds"] == line["ring_bytes"] == 0
        assert line["tokens_per_second"] == pytest.approx(line["tokens"] / line["seconds"])
        assert line["tokens_per_second_per_rank"] == line["tokens_per_second"]
        assert line["tflops"] == pytest.approx(line["tokens_per_second"] * trained.flops_per_token / 1e12)
        assert line["memory_bytes"] > 2**20
        assert not {"mfu", "loss_scale"} & set(line)


def test_validation_has_bits_per_byte(finished: tuple[TrainJob, Trained]) -> None:
    job, _ = finished
    assert job.validation
    task = make_task("language-model", job.config, {}, TokenizerFile(Folder(job.tokenizer_dir)))
    model, count = load_model(job.model_dir), job.config.validate_sequences
    scored = score(model, job.validation, count, VOCAB_SIZE, 4, Single(), task)
    last = metrics(job)[-1]
    assert last["validation_loss"] == pytest.approx(scored.loss, rel=1e-5)
    assert last["validation_bits_per_byte"] == pytest.approx(scored.bits_per_byte, rel=1e-5)


def test_the_share_of_the_devices_peak_is_the_operations_over_it(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_config(steps=2, peak_tflops=0.5))
    train_rank(job)
    for line in metrics(job):
        assert line["mfu"] == pytest.approx(line["tflops"] / 0.5)


def test_the_model_learns(finished: tuple[TrainJob, Trained]) -> None:
    lines = metrics(finished[0])
    assert lines[0]["loss"] == pytest.approx(math.log(VOCAB_SIZE), abs=0.1)
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.15


class PlainTorch:
    """The same training with nothing but torch: whole batches, `labels`, AdamW, clip_grad_norm_."""

    def __init__(self, job: TrainJob) -> None:
        config = job.config
        self.model: Any = build_model(
            job.model, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=config.seed
        )
        rows = sequential_schedule(NUM_TRAIN, NUM_TRAIN, job.train.block_rows, 0, 1)
        with SequenceReader(job.train, rows, VOCAB_SIZE) as reader:
            batch = next(reader)
        labels = batch.input_ids.astype(np.int64)
        self.inputs = torch.from_numpy(labels.copy())
        for row, count in enumerate(batch.num_tokens):
            labels[row, count:] = -100
        self.labels = torch.from_numpy(labels)
        decays = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decays, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            betas=(config.beta1, config.beta2),
        )
        self.clip = config.clip_norm

    def step(self, ids: Any, rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = self.model(input_ids=self.inputs[ids], labels=self.labels[ids]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return float(loss.detach())


def test_micro_batches_padding_and_small_batches_equal_plain_torch(
    finished: tuple[TrainJob, Trained],
) -> None:
    job, _ = finished
    plain = PlainTorch(job)
    for line in metrics(job):
        loss = plain.step(np.concatenate(job.plan.batch(line["step"] - 1)), line["lr"])
        assert line["loss"] == pytest.approx(loss, rel=2e-5), line["step"]


def test_a_resume_from_any_checkpoint_gives_the_same_curve_and_model(
    finished: tuple[TrainJob, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, trained = finished
    job = replace(undisturbed, checkpoint_dir=str(tmp_path / "c"), model_dir=str(tmp_path / "m"))

    class Crash(Exception):
        pass

    original = Stepper.step

    def crash_at(step: int) -> None:
        def stepping(self: Any, batch: Any, wait: float, **more: Any) -> Any:
            if batch.step == step:
                raise Crash
            return original(self, batch, wait, **more)

        monkeypatch.setattr(Stepper, "step", stepping)

    # In the first epoch, before any further checkpoint, and in the second epoch.
    for step in (6, 7, 17):
        crash_at(step)
        with pytest.raises(Crash):
            train_rank(job)
        if step == 7:
            assert [line["step"] for line in metrics(job)] == list(range(1, 8))
    newest = tmp_path / "c" / "step-000000016" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3])
    monkeypatch.setattr(Stepper, "step", original)
    resumed = train_rank(job)
    assert resumed.resumed_from == 12
    names = ("step", "epoch", "loss", "lr", "grad_norm", "ids_hash", "sequences", "tokens")
    assert [[line[name] for name in names] for line in metrics(job)] == [
        [line[name] for name in names] for line in metrics(undisturbed)
    ]
    for name in ("sequences", "tokens", "validation_loss"):
        assert getattr(resumed.totals, name) == getattr(trained.totals, name)
    weights = [
        Path(folder, "model.safetensors").read_bytes() for folder in (job.model_dir, undisturbed.model_dir)
    ]
    assert weights[0] == weights[1]


def test_a_finished_training_is_not_done_again(finished: tuple[TrainJob, Trained], tmp_path: Path) -> None:
    job, trained = finished
    before = metrics(job)
    again = train_rank(replace(job, model_dir=str(tmp_path / "again")))
    assert (again.totals.step, again.resumed_from, again.totals.loss) == (20, 20, trained.totals.loss)
    assert metrics(job) == before
    assert (tmp_path / "again" / "model.safetensors").is_file()


def test_how_it_is_computed_may_change_but_not_what(finished: tuple[TrainJob, Trained]) -> None:
    job, _ = finished
    assert isinstance(job.plan, SamplePlan)
    changed = replace(job, config=job.config.model_copy(update={"micro_batch_size": 8, "log_every": 7}))
    assert train_rank(changed).resumed_from == 20
    for other, words in (
        (
            replace(job, config=job.config.model_copy(update={"learning_rate": 5e-3})),
            "learning_rate: 0.01 .* 0.005",
        ),
        (replace(job, source={**job.source, "version": 9}), "version: 0 there, 9 here"),
        (replace(job, source={**job.source, "tokenizer": "f" * 64}), "tokenizer: .* 'ffff"),
        (replace(job, plan=replace(job.plan, block_rows=4)), "plan.block_rows: 8 there, 4 here"),
    ):
        with pytest.raises(DataError, match=words):
            train_rank(other)


@pytest.mark.parametrize(("what", "rate"), [("loss", 1e38), ("gradient norm", 1e30)])
def test_a_loss_or_gradient_that_is_not_finite_stops_with_the_batchs_ids(
    tmp_path: Path, what: str, rate: float
) -> None:
    job = make_job(tmp_path, make_config(learning_rate=rate, min_learning_rate=rate, clip_norm=1e30))
    with pytest.raises(
        TrainingError, match=rf"the {what} of step \d+ is (nan|inf); the model was not"
    ) as caught:
        train_rank(job)
    step = int(str(caught.value).split("step ")[1].split()[0])
    ids = json.loads(str(caught.value).rsplit(" in ", 1)[1])
    assert sorted(ids) == sorted(np.concatenate(job.plan.batch(step - 1)).tolist())


def test_the_model_folder_opens_with_the_auto_classes_and_generates(
    finished: tuple[TrainJob, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, trained = finished
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = AutoModelForCausalLM.from_pretrained(job.model_dir)
    tokenizer = AutoTokenizer.from_pretrained(job.model_dir)
    assert sum(p.numel() for p in model.parameters()) == trained.parameters
    assert model.config.eos_token_id == tokenizer.convert_tokens_to_ids(END_OF_DOCUMENT)
    text = "the lazy dog"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    sampled = GenerateConfig(max_new_tokens=6, temperature=1.0, seed=3)
    first = generate_text(job.model_dir, "the", sampled)
    assert first == generate_text(job.model_dir, "the", sampled)
    others = {generate_text(job.model_dir, "the", sampled.model_copy(update={"seed": s})) for s in range(5)}
    assert len(others) > 1
    greedy = generate_text(job.model_dir, "the", GenerateConfig(max_new_tokens=6, temperature=0))
    ids = torch.tensor([[model.config.eos_token_id, *tokenizer("the")["input_ids"]]])
    for _ in range(6):
        ids = torch.cat([ids, model(ids).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert greedy == tokenizer.decode(ids[0, -6:], skip_special_tokens=True)
    assert not {name for name in Path(job.model_dir).iterdir() if name.suffix in {".bin", ".pt", ".pkl"}}


def test_a_prompt_longer_than_the_model_keeps_its_end(finished: tuple[TrainJob, Trained]) -> None:
    config = GenerateConfig(max_new_tokens=4, temperature=0)
    long, short = "the lazy dog " * 30 + "returns", "dog the lazy dog " * 9 + "returns"
    assert generate_text(finished[0].model_dir, long, config) == generate_text(
        finished[0].model_dir, short, config
    )
    with pytest.raises(DataError, match=f"max_new_tokens = {LENGTH}"):
        generate_text(finished[0].model_dir, "a", GenerateConfig(max_new_tokens=LENGTH))
    # Half of what the model takes, where nothing is said: the default of 60 is more than all of it.
    assert generate_text(finished[0].model_dir, "the", GenerateConfig(temperature=0)) == generate_text(
        finished[0].model_dir, "the", GenerateConfig(temperature=0, max_new_tokens=LENGTH // 2)
    )


def test_evaluation_equals_transformers_own_loss(finished: tuple[TrainJob, Trained]) -> None:
    job, _ = finished
    model = AutoModelForCausalLM.from_pretrained(job.model_dir)
    tokenizer = AutoTokenizer.from_pretrained(job.model_dir)
    assert job.validation
    count = job.validation.num_sequences
    with SequenceReader(
        job.validation, sequential_schedule(count, count, job.validation.block_rows, 0, 1), VOCAB_SIZE
    ) as reader:
        batch = next(reader)
    nats, targets, size = 0.0, 0, 0
    for row, length in zip(batch.input_ids, batch.num_tokens, strict=True):
        ids = torch.from_numpy(row[:length].astype(np.int64))[None]
        nats += float(model(input_ids=ids, labels=ids).loss.detach()) * (int(length) - 1)
        targets += int(length) - 1
        size += sum(
            len(tokenizer.backend_tokenizer.id_to_token(int(token)) or "")
            if token != model.config.eos_token_id
            else 0
            for token in row[1:length]
        )
    score = evaluate_rank(EvaluateJob(job.model_dir, job.validation, VOCAB_SIZE, batch_size=4))
    assert score.nats == pytest.approx(nats, rel=1e-5)
    assert (score.num_targets, score.num_sequences, score.num_bytes) == (targets, count, size)
    assert score.bits_per_byte == pytest.approx(nats / math.log(2) / size, rel=1e-5)


def test_a_pretrained_folder_is_a_start(finished: tuple[TrainJob, Trained], tmp_path: Path) -> None:
    trained, _ = finished
    job = make_job(tmp_path, make_config(steps=1, warmup_steps=0), ModelConfig(pretrained=trained.model_dir))
    train_rank(job)
    assert metrics(job)[0]["loss"] < math.log(VOCAB_SIZE) - 0.1
    with pytest.raises(DataError, match=f"knows {VOCAB_SIZE} tokens, .* tokenizer of 999"):
        build_model(job.model, vocab_size=999, sequence_length=LENGTH, end_id=0, seed=1)
    with pytest.raises(DataError, match=r"takes 16 tokens, but pack.sequence_length = 17"):
        build_model(job.model, vocab_size=VOCAB_SIZE, sequence_length=17, end_id=0, seed=1)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ModelConfig(architecture="lama"), "architecture = 'lama' .* did you mean .*llama"),
        (ModelConfig(config={"hiden_size": 8}), "model.config.hiden_size .* did you mean hidden_size"),
        (ModelConfig(config={"vocab_size": 8}), "vocab_size is filled in"),
        (ModelConfig(config={**SIZES, "num_attention_heads": 3}), "cannot make a 'llama' model"),
        (ModelConfig(pretrained="/nowhere/at/all"), "'/nowhere/at/all' cannot be loaded"),
    ],
)
def test_a_model_that_cannot_be_is_explained(config: ModelConfig, words: str) -> None:
    with pytest.raises(DataError, match=words):
        build_model(config, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=1)


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    def weights(seed: int) -> torch.Tensor:
        model = build_model(MODEL, vocab_size=VOCAB_SIZE, sequence_length=LENGTH, end_id=0, seed=seed)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
