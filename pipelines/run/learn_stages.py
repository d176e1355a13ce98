"""The stages that turn sequences into a model, its scores, samples and the report."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conf.learn import ModelConfig, TrainConfig
from conf.urls import without_secrets
from pipelines.card.build import build_card
from pipelines.errors import AccountingError, InputError
from pipelines.evaluate.baselines import baselines
from pipelines.lake import Lake, read_table
from pipelines.lake.paths import write_json
from pipelines.run.accounting import Tally
from pipelines.run.artefacts import NOTED, files_identity, is_left, model_identity
from pipelines.run.context import Context
from pipelines.run.data_stages import tokenizer_folder
from pipelines.run.earlier_trainings import after_training, before_training
from pipelines.run.feature_stages import with_embeddings
from pipelines.run.keys import digest
from pipelines.run.stage import Outcome, Stage
from training.content import start_content
from training.data.snapshot import Snapshot
from training.errors import DataError
from training.identity import CODE
from training.job import lasting, settings_identity
from training.sources import table_key
from training.stage import evaluate_model, train_model
from training.storage import File, Folder
from training.version import training_code

Metadata = dict[str, Any]

_ABANDONED = re.compile(r"ringlake-model-[a-z0-9_]{8}(\.tmp)?")


def _train(context: Context, _metadata: Metadata) -> Outcome:
    train, validation = context.snapshot("train"), context.snapshot("validation")
    mixed = context.mixed()
    config = context.config
    section = with_embeddings(context, config.model)
    start = start_content(section)
    key = _key(context, section, start, [train, validation, *mixed])
    before_training(context, key, _identity(section, config.train, start, [train, *mixed]))
    _remove_abandoned(context.lake.root)
    result = train_model(
        context.spark,
        section,
        config.train,
        train,
        validation,
        tokenizer_folder(context, train.tokenizer_hash).location,
        context.lake.checkpoints.child(key).location,
        context.lake.model.location,
        context.console.say,
        mixed,
    )
    after_training(context, key)
    tally = Tally(
        rows_in=result.sequences_planned,
        rows_out=result.sequences_used,
        rows_rejected=result.sequences_lost,
        unit="sequences",
    )
    return Outcome({}, tally, result.details() | {"checkpoint_key": key})


def _key(
    context: Context, model: ModelConfig, start: Mapping[str, str], snapshots: Sequence[Snapshot]
) -> str:
    """Name of the folder of checkpoints: another one as soon as anything decides other values."""
    tables = [_describe(snapshot) for snapshot in snapshots]
    return digest(
        lasting(context.config.train), model.model_dump(mode="json"), start, tables, training_code()
    )


def _identity(
    model: ModelConfig, config: TrainConfig, start: Mapping[str, str], snapshots: Sequence[Snapshot]
) -> dict[str, Any]:
    """What a training that starts belongs to, as far as it is known before its tables are opened."""
    wanted = settings_identity(model, config) | dict(start) | {CODE: training_code()}
    for number, snapshot in enumerate(snapshots):
        wanted[table_key("table", number)] = without_secrets(snapshot.table)
        wanted[table_key("version", number)] = snapshot.version
    return wanted


def _describe(snapshot: Snapshot) -> tuple[str, int, str, str]:
    """A table's sequences: their files are named at random, so that those of a table made anew differ."""
    files = digest(sorted((file.path, file.num_rows) for file in snapshot.files))
    return without_secrets(snapshot.table), snapshot.version, snapshot.tokenizer_hash, files


def _remove_abandoned(root: Folder) -> None:
    """Deletes what ranks of earlier releases that were killed left beside the model; the lake is locked."""
    for name in root.names():
        if _ABANDONED.fullmatch(name):
            root.child(name).remove()


def _starting_point(context: Context) -> str:
    """What training reads besides its inputs: tables mixed in, the model or the vectors it starts from."""
    mixed = [_describe(snapshot) for snapshot in context.mixed()]
    try:
        start = start_content(with_embeddings(context, context.config.model))
    except DataError as error:
        raise InputError(f"train: {error}") from error
    return digest(mixed, start) if mixed or start else ""


def _evaluate(context: Context, _metadata: Metadata) -> Outcome:
    validation = context.snapshot("validation")
    score = evaluate_model(
        context.spark,
        context.config.evaluate,
        context.config.train,
        validation,
        _own_model(context).location,
        context.console.say,
    )
    context.console.say("    scoring the unigram and bigram baselines on the same tokens")
    sequences = read_table(context.spark, context.lake, "sequences", validation.version)
    compared: dict[str, dict[str, float | None]] = {}
    nats = {"model": score.nats}
    for baseline in baselines(sequences, validation.vocab_size):
        if baseline.targets != score.num_targets:
            raise AccountingError(
                f"evaluate: the model was scored on {score.num_targets} targets, the {baseline.name} on "
                f"{baseline.targets}; the two cannot be compared. Please report this with the run file"
            )
        nats[baseline.name] = baseline.nats
        compared[baseline.name] = {
            "loss": _ratio(baseline.nats, baseline.targets),
            "bits_per_byte": _ratio(baseline.nats / math.log(2), score.num_bytes),
        }
    result: dict[str, Any] = {
        "sequences_version": validation.version,
        "sequences": score.num_sequences,
        "targets": score.num_targets,
        "bytes": score.num_bytes,
        "model": {
            "loss": _finite(score.loss),
            "perplexity": _perplexity(score.loss),
            "bits_per_byte": _finite(score.bits_per_byte),
        },
        **compared,
    }
    # Of one text: its bytes and targets are the same for both.
    share = _ratio(nats["model"], nats["bigram"])
    result["below_bigram"] = None if share is None else 1 - share
    write_json(context.lake.evaluation, result)
    context.console.say(f"    {_describe_scores(result)}")
    tally = Tally(rows_in=validation.num_sequences, rows_out=score.num_sequences, unit="sequences")
    return Outcome({}, tally, result)


def _ratio(part: float, whole: float) -> float | None:
    """A mean or a share; None where there is nothing to divide by, or the result is no number."""
    return _finite(part / whole) if whole else None


def _finite(value: float | None) -> float | None:
    """A figure as evaluation.json has it: JSON knows neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


def _perplexity(loss: float | None) -> float | None:
    """E to the loss; None where a float cannot hold it."""
    try:
        return None if loss is None else _finite(math.exp(loss))
    except OverflowError:
        return None


def _describe_scores(result: dict[str, Any]) -> str:
    """Bits per byte, or losses where the targets stand for no text, or that there is no target."""
    if not result["targets"]:
        return f"nothing to score: the {result['sequences']} validation sequences have no target"
    key, name = ("bits_per_byte", "bits per byte") if result["bytes"] else ("loss", "nats a target")
    scores = ", ".join(
        f"{who} {'no number' if (value := result[who][key]) is None else f'{value:.3f}'}"
        for who in ("model", "unigram", "bigram")
    )
    gain = result["below_bigram"]
    return f"{name}: {scores}" + ("" if gain is None else f"; {gain:.1%} below the bigram")


def _generate(context: Context, _metadata: Metadata) -> Outcome:
    # Here and not above: torch takes seconds to import, and no other stage needs it in this process.
    from training.generate import generate_text

    config = context.config.generate
    samples = []
    model = _own_model(context).location
    for prompt in config.prompts:
        text = generate_text(model, prompt, config)
        samples.append({"prompt": prompt, "text": text})
        context.console.say(f"    {prompt!r} -> {text[:100]!r}")
    write_json(context.lake.samples, samples)
    return Outcome({}, Tally(0, 0), {"samples": len(samples)})


def _report(context: Context, _metadata: Metadata) -> Outcome:
    from pipelines.report.build import build_report

    build_report(
        context.spark,
        context.lake,
        context.config,
        run_file=context.run_file,
        overrides=context.overrides,
    )
    context.console.say(f"    report: {context.lake.report}")
    return Outcome({}, Tally(0, 0))


def _card(context: Context, _metadata: Metadata) -> Outcome:
    build_card(context.lake, context.config.card, context.config.name)
    context.console.say(f"    card: {context.lake.card}")
    return Outcome({}, Tally(0, 0))


def _leaves(files: Callable[[Lake], list[File]]) -> Callable[[Context, Mapping[str, Any]], dict[str, str]]:
    """Identity of some files of the lake, for `Stage.artefacts`."""
    return lambda context, _details: files_identity(context.lake, files(context.lake))


def _trained(context: Context) -> str:
    """Identity of the training run whose model is read, and of the model that is there."""
    record = context.ledger.latest("train")
    return digest(record.run_id if record else "", model_identity(context.lake.model))


def _own_model(context: Context) -> Folder:
    """The lake's model; InputError unless it is the one of the newest training run in the ledger."""
    model, record = context.lake.model, context.last("train")
    if not is_left(record.details.get(NOTED), {"model": model_identity(model)}):
        raise InputError(
            f"{model.location} is not the model of the newest training run in the ledger (that training was "
            f"killed before it was recorded, or the folder was changed); train again with the same run file, "
            f"which goes on from the last checkpoint: ringlake train --lake {context.lake.location}"
        )
    return model


def _latest_runs(context: Context) -> str:
    newest = {
        r.stage: r.run_id
        for r in context.ledger.records()
        if r.state == "succeeded" and r.stage not in ("report", "card")
    }
    return digest(newest)


LEARN_STAGES = (
    Stage(
        name="train",
        purpose="train the model in a barrier stage of this Spark application",
        sections=("model", "train"),
        inputs=("sequences",),
        outputs=(),
        execute=_train,
        code=("training.stage",),
        bound_in=("pipelines.run.feature_stages",),
        fingerprint=_starting_point,
        artefacts=lambda context, _details: {"model": model_identity(context.lake.model)},
    ),
    Stage(
        name="evaluate",
        purpose="score the model and the baselines on the validation split",
        sections=("evaluate",),
        inputs=("sequences",),
        outputs=(),
        execute=_evaluate,
        code=("training.stage", "pipelines.evaluate.baselines"),
        fingerprint=_trained,
        artefacts=_leaves(lambda lake: [lake.evaluation]),
    ),
    Stage(
        name="generate",
        purpose="let the model continue the prompts",
        sections=("generate",),
        inputs=(),
        outputs=(),
        execute=_generate,
        code=("training.generate",),
        fingerprint=_trained,
        artefacts=_leaves(lambda lake: [lake.samples]),
    ),
    Stage(
        name="report",
        purpose="draw the report",
        sections=("report",),
        inputs=(),
        outputs=(),
        execute=_report,
        code=("pipelines.report.build",),
        fingerprint=_latest_runs,
        artefacts=_leaves(lambda lake: [lake.report]),
    ),
    Stage(
        name="card",
        purpose="write the dataset card",
        sections=("card",),
        inputs=(),
        outputs=(),
        execute=_card,
        code=("pipelines.card.build",),
        fingerprint=lambda context: digest(context.config.name, _latest_runs(context)),
        artefacts=_leaves(lambda lake: [lake.card, lake.card_facts]),
        enabled=lambda context: context.config.card.license is not None,
    ),
)
