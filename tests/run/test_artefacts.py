"""What a stage left besides tables decides, too, whether it is done; and what the ledger says of failures."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf import RunConfig
from conf.generate import GenerateConfig
from conf.model import ModelConfig
from conf.train import TrainConfig
from pipelines.bindings.model import own_model
from pipelines.bindings.tokenizers import tokenizer_folder
from pipelines.bindings.train import Start, identity
from pipelines.console.console import Console
from pipelines.errors import InputError, PermanentFailureError, StageFailedError
from pipelines.lake import Lake
from pipelines.report.collect import is_own
from pipelines.run.accounting import Tally
from pipelines.run.binding import Binding, Given, Made, binding_of
from pipelines.run.context import Context
from pipelines.run.engine import run_stages, up_to_date
from pipelines.stages import BY_NAME, Stage
from training.data.snapshot import DataFile, Snapshot
from training.facts import TARGET, TargetVocabulary
from training.models.made import write_made

HASH = "ab" * 32


@pytest.fixture
def context(tmp_path: Path) -> Context:
    lake = Lake.at(tmp_path / "lake")
    lake.create()
    return Context(RunConfig(lake=lake.location), lake, Console(io.StringIO()))


def doing(name: str, work: Callable[[Context], object], details: dict[str, Any] | None = None) -> Stage:
    """A stage as it is, but for its tables, and with quick work in place of its own."""

    def run(given: Given[None]) -> Made:
        work(given.context)
        return Made(tally=Tally(0, 0), details=dict(details or {}))

    stage = BY_NAME[name]
    binding = Binding.of_tables(run, binding_of(stage).left)
    return replace(stage, reads=(), reads_with=None, writes=(), binding=binding)


def exporting(weights: bytes) -> Callable[[Context], None]:
    def write(context: Context) -> None:
        folder = context.lake.model.local_path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(weights)
        write_made(folder)

    return write


def test_a_model_of_a_training_that_was_killed_before_its_row_is_no_ones(context: Context) -> None:
    train = doing("train", exporting(b"of the run in the ledger"))
    run_stages(context, [train])
    assert up_to_date(context, train)
    assert own_model(context) == context.lake.model

    # A later training, as long in bytes, put its model into place and was killed before it was recorded.
    exporting(b"of another run, not told")(context)
    assert up_to_date(context, train) is None
    with pytest.raises(InputError, match=r"not the model of the newest training run.*ringlake train"):
        own_model(context)
    for name in ("evaluate", "generate"):
        with pytest.raises(InputError, match="not the model of the newest training run"):
            run_stages(context, [doing(name, own_model)])

    run_stages(context, [train])
    assert len([run for run in context.ledger.records() if run.stage == "train"]) == 2
    assert own_model(context) == context.lake.model


@pytest.mark.parametrize("harm", ["cut", "remove", "unlist"])
def test_a_damaged_model_is_trained_again(context: Context, harm: str) -> None:
    train = doing("train", exporting(b"weights"))
    run_stages(context, [train])
    folder = context.lake.model.local_path
    if harm == "cut":
        (folder / "model.safetensors").write_bytes(b"weigh")
    else:
        (folder / ("model.safetensors" if harm == "remove" else "ringlake.json")).unlink()
    assert up_to_date(context, train) is None
    with pytest.raises(InputError, match="the folder was changed"):
        own_model(context)


@pytest.mark.parametrize("name", ["evaluate", "generate"])
@pytest.mark.parametrize("harm", ["lost", "another run's"])
def test_scores_and_samples_that_are_not_the_runs_are_made_again(
    context: Context, name: str, harm: str
) -> None:
    file = {"evaluate": context.lake.evaluation, "generate": context.lake.samples}[name]
    stage = doing(name, lambda _context: file.replace('{"made": "by this run"}'))
    run_stages(context, [stage])
    assert up_to_date(context, stage)
    records = context.ledger.records()
    assert is_own(records, context.lake, name, file)
    if harm == "lost":
        Path(file.location).unlink()
    else:
        file.replace('{"made": "by another, killed before its row"}')
    assert up_to_date(context, stage) is None
    assert not is_own(records, context.lake, name, file), "the report shows it"


def write_tokenizer(context: Context) -> None:
    folder = tokenizer_folder(context.lake, HASH).local_path
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).write_text("{}")


@pytest.mark.parametrize("lost", ["the folder", "a file", "what a file says"])
def test_a_tokenizer_that_is_lost_is_made_again(context: Context, lost: str) -> None:
    stage = doing("tokenize", write_tokenizer, {"tokenizer_hash": HASH})
    run_stages(context, [stage])
    assert up_to_date(context, stage)
    folder = tokenizer_folder(context.lake, HASH)
    if lost == "the folder":
        folder.remove()
    elif lost == "a file":
        (folder.local_path / "tokenizer_config.json").unlink()
    else:
        (folder.local_path / "tokenizer.json").write_text('{"other": 1}')
    assert up_to_date(context, stage) is None
    run_stages(context, [stage])
    assert up_to_date(context, stage)


def test_a_tokenizer_of_the_targets_that_is_lost_is_made_again(context: Context) -> None:
    own = "cd" * 32

    def write(context: Context) -> None:
        write_tokenizer(context)
        shutil.copytree(
            tokenizer_folder(context.lake, HASH).local_path, tokenizer_folder(context.lake, own).local_path
        )

    facts = {TARGET: TargetVocabulary(own, 300, 0).noted()}
    stage = doing("tokenize", write, {"tokenizer_hash": HASH, "task": facts})
    run_stages(context, [stage])
    assert up_to_date(context, stage)
    tokenizer_folder(context.lake, own).remove()
    assert up_to_date(context, stage) is None


def test_a_ledger_that_cannot_be_written_does_not_hide_the_stages_failure(context: Context) -> None:
    place = Path(context.lake.table("runs"))

    def finishes(_context: Context) -> None:
        place.write_text("in the way")

    def fails(context: Context) -> None:
        finishes(context)
        raise ValueError("row 7 is longer than 10")

    with pytest.raises(PermanentFailureError, match="row 7 is longer than 10"):
        run_stages(context, [doing("generate", fails)])
    shown = context.console._stream
    assert isinstance(shown, io.StringIO)
    assert "the failure could not be recorded in the table 'runs'" in shown.getvalue()
    place.unlink()
    with pytest.raises(StageFailedError, match="stage was finished, but its run could not be recorded"):
        run_stages(context, [doing("generate", finishes)])


def test_prompts_that_differ_in_a_secret_are_two_runs_and_the_secret_is_not_stored(context: Context) -> None:
    def asking(key: str) -> Context:
        prompts = (f"Read https://me:{key}@example.org/a?key={key}",)
        return replace(context, config=RunConfig(generate=GenerateConfig(prompts=prompts)))

    stage = doing("generate", lambda context: context.lake.samples.replace("[]"))
    run_stages(asking("first1"), [stage])
    assert up_to_date(asking("first1"), stage)
    assert up_to_date(asking("second"), stage) is None
    run_stages(asking("second"), [stage])
    stored = [run.config for run in context.ledger.records()]
    assert stored[0] == stored[1]
    assert "https://example.org/a" in stored[0]
    assert "first1" not in stored[0]
    for path in Path(context.lake.location).rglob("*"):
        assert not path.is_file() or b"first1" not in path.read_bytes(), path


def test_what_a_training_belongs_to_names_no_secret_of_the_lake() -> None:
    files = (DataFile("s3://me:secret1@bucket/lake/tables/sequences/a.parquet", 3),)
    snapshot = Snapshot("s3://me:secret1@bucket/lake/tables/sequences", 2, "train", files, 8, 99, HASH, 2)
    model = ModelConfig(pretrained="https://me:secret1@example.org/model?token=secret1")
    told = json.dumps(identity(Start(model, {}, ()), TrainConfig(), [snapshot]))
    assert "s3://bucket/lake/tables/sequences" in told
    assert "secret1" not in told
