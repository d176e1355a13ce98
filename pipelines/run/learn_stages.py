"""The stages that turn sequences into a model, its scores, samples and the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipelines.card.build import build_card
from pipelines.errors import AccountingError
from pipelines.evaluate.baselines import baselines
from pipelines.lake import read_table
from pipelines.lake.paths import write_json
from pipelines.run.accounting import Tally
from pipelines.run.context import Context
from pipelines.run.data_stages import tokenizer_folder
from pipelines.run.feature_stages import embeddings_fingerprint, with_embeddings
from pipelines.run.keys import digest
from pipelines.run.stage import Outcome, Stage
from training.data.snapshot import Snapshot
from training.identity import check_interrupted
from training.job import lasting, settings_identity
from training.sources import table_key
from training.stage import evaluate_model, train_model

Metadata = dict[str, Any]


def _train(context: Context, _metadata: Metadata) -> Outcome:
    train, validation = context.snapshot("train"), context.snapshot("validation")
    mixed = context.mixed()
    config = context.config
    section = with_embeddings(context, config.model)
    model = section.model_dump(mode="json")
    key = digest(lasting(config.train), model, *_describe(train), *map(_describe, mixed))
    _refuse_to_lose_steps(context, [train, *mixed], key)
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
    for other in context.lake.checkpoints.names():
        if other != key:
            context.lake.checkpoints.child(other).remove()
    tally = Tally(
        rows_in=result.sequences_planned,
        rows_out=result.sequences_used,
        rows_rejected=result.sequences_lost,
        unit="sequences",
    )
    return Outcome({}, tally, result.details() | {"checkpoint_key": key})


def _describe(snapshot: Snapshot) -> tuple[str, int, str]:
    return snapshot.table, snapshot.version, snapshot.tokenizer_hash


def _refuse_to_lose_steps(context: Context, snapshots: Sequence[Snapshot], key: str) -> None:
    """DataError if an interrupted training of the same settings was on other versions of the tables."""
    config = context.config
    wanted = settings_identity(with_embeddings(context, config.model), config.train)
    for number, snapshot in enumerate(snapshots):
        wanted[table_key("table", number)] = snapshot.table
        wanted[table_key("version", number)] = snapshot.version
    checkpoints = context.lake.checkpoints
    for name in checkpoints.names():
        if name != key:
            check_interrupted(checkpoints.child(name), wanted, config.train.steps)


def _starting_point(context: Context) -> str:
    """What training reads besides its inputs: versions of the tables mixed in, vectors to start from."""
    mixed = [_describe(snapshot) for snapshot in context.mixed()]
    vectors = embeddings_fingerprint(context)
    return digest(mixed, vectors) if mixed or vectors else ""


def _evaluate(context: Context, _metadata: Metadata) -> Outcome:
    validation = context.snapshot("validation")
    score = evaluate_model(
        context.spark,
        context.config.evaluate,
        context.config.train,
        validation,
        context.lake.model.location,
        context.console.say,
    )
    context.console.say("    scoring the unigram and bigram baselines on the same tokens")
    sequences = read_table(context.spark, context.lake, "sequences", validation.version)
    compared = {}
    for baseline in baselines(sequences, validation.vocab_size):
        if baseline.targets != score.num_targets:
            raise AccountingError(
                f"evaluate: the model was scored on {score.num_targets} targets, the {baseline.name} on "
                f"{baseline.targets}; the two cannot be compared. Please report this with the run file"
            )
        compared[baseline.name] = {
            "loss": baseline.nats / baseline.targets,
            "bits_per_byte": baseline.nats / math.log(2) / score.num_bytes,
        }
    result = {
        "sequences_version": validation.version,
        "sequences": score.num_sequences,
        "targets": score.num_targets,
        "bytes": score.num_bytes,
        "model": {
            "loss": score.loss,
            "perplexity": math.exp(score.loss),
            "bits_per_byte": score.bits_per_byte,
        },
        **compared,
    }
    gain = 1 - score.bits_per_byte / compared["bigram"]["bits_per_byte"]
    result["below_bigram"] = gain
    write_json(context.lake.evaluation, result)
    others = ", ".join(f"{name} {scores['bits_per_byte']:.3f}" for name, scores in compared.items())
    context.console.say(
        f"    bits per byte: model {score.bits_per_byte:.3f}, {others}; {gain:.1%} below the bigram"
    )
    tally = Tally(rows_in=validation.num_sequences, rows_out=score.num_sequences, unit="sequences")
    return Outcome({}, tally, result)


def _generate(context: Context, _metadata: Metadata) -> Outcome:
    # Here and not above: torch takes seconds to import, and no other stage needs it in this process.
    from training.generate import generate_text

    config = context.config.generate
    samples = []
    for prompt in config.prompts:
        text = generate_text(context.lake.model.location, prompt, config)
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


def _run_of(stage: str) -> Any:
    return lambda context: record.run_id if (record := context.ledger.latest(stage)) else ""


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
        fingerprint=_starting_point,
        artefacts=lambda context: [
            context.lake.model.file("config.json"),
            context.lake.model.file("tokenizer.json"),
        ],
    ),
    Stage(
        name="evaluate",
        purpose="score the model and the baselines on the validation split",
        sections=("evaluate",),
        inputs=("sequences",),
        outputs=(),
        execute=_evaluate,
        fingerprint=_run_of("train"),
        artefacts=lambda context: [context.lake.evaluation],
    ),
    Stage(
        name="generate",
        purpose="let the model continue the prompts",
        sections=("generate",),
        inputs=(),
        outputs=(),
        execute=_generate,
        fingerprint=_run_of("train"),
        artefacts=lambda context: [context.lake.samples],
    ),
    Stage(
        name="report",
        purpose="draw the report",
        sections=("report",),
        inputs=(),
        outputs=(),
        execute=_report,
        fingerprint=_latest_runs,
        artefacts=lambda context: [context.lake.report],
    ),
    Stage(
        name="card",
        purpose="write the dataset card",
        sections=("card",),
        inputs=(),
        outputs=(),
        execute=_card,
        fingerprint=lambda context: digest(context.config.name, _latest_runs(context)),
        artefacts=lambda context: [context.lake.card, context.lake.card_facts],
        enabled=lambda context: context.config.card.license is not None,
    ),
)
