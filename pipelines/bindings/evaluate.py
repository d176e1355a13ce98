"""Evaluate: the model and two baselines on the same tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipelines.bindings.model import leaves, own_model, trained
from pipelines.bindings.scores import described, finite, perplexity, ratio
from pipelines.bindings.task_scores import SCORED, score_task
from pipelines.errors import AccountingError
from pipelines.evaluate.baselines import baselines
from pipelines.lake import read_table
from pipelines.lake.paths import write_json
from pipelines.run.accounting import Tally
from pipelines.run.binding import Binding, Given, Made
from training.start import evaluate_model


def _evaluate(given: Given[None]) -> Made:
    name = given.config.task.name
    if name in SCORED:
        return _answers(given, name)
    return _instruct(given) if name == "instruct" else _language_model(given)


def _answers(given: Given[None], name: str) -> Made:
    """What the model says of validation examples, compared with what is right."""
    context = given.context
    scores = score_task(given, own_model(context).location)
    result = {"task": name, "sequences_version": context.snapshot("validation").version, **scores}
    write_json(context.lake.evaluation, result)
    given.say(f"    {_shown(result['metrics'])}")
    missing = sum(result["not_answered"].values())
    examples = int(result["examples"])
    tally = Tally(rows_in=examples, rows_out=examples - missing, rows_rejected=missing, unit="examples")
    return Made(tally=tally, details={"metrics": result["metrics"], "baselines": result["baselines"]})


def _shown(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in metrics.items() if value is not None)


def _instruct(given: Given[None]) -> Made:
    """The loss of what the assistant says in validation chats."""
    context = given.context
    validation = context.snapshot("validation")
    score = evaluate_model(
        context.spark,
        context.config.evaluate,
        context.config.train,
        validation,
        own_model(context).location,
        given.say,
    )
    metrics = {
        "bits_per_byte": finite(score.bits_per_byte),
        "loss": finite(score.loss),
        "perplexity": perplexity(score.loss),
    }
    result = {
        "task": "instruct",
        "sequences_version": validation.version,
        "sequences": score.num_sequences,
        "targets": score.num_targets,
        "bytes": score.num_bytes,
        "metrics": metrics,
        "baselines": {},
    }
    write_json(context.lake.evaluation, result)
    given.say(f"    {_shown(metrics)}")
    tally = Tally(rows_in=validation.num_sequences, rows_out=score.num_sequences, unit="sequences")
    return Made(tally=tally, details=result)


def _language_model(given: Given[None]) -> Made:
    context = given.context
    validation = context.snapshot("validation")
    score = evaluate_model(
        context.spark,
        context.config.evaluate,
        context.config.train,
        validation,
        own_model(context).location,
        given.say,
    )
    given.say("    scoring the unigram and bigram baselines on the same tokens")
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
            "loss": ratio(baseline.nats, baseline.targets),
            "bits_per_byte": ratio(baseline.nats / math.log(2), score.num_bytes),
        }
    result: dict[str, Any] = {
        "task": "language-model",
        "metrics": {"bits_per_byte": finite(score.bits_per_byte)},
        "sequences_version": validation.version,
        "sequences": score.num_sequences,
        "targets": score.num_targets,
        "bytes": score.num_bytes,
        "model": {
            "loss": finite(score.loss),
            "perplexity": perplexity(score.loss),
            "bits_per_byte": finite(score.bits_per_byte),
        },
        **compared,
    }
    # Of one text: its bytes and targets are the same for both.
    share = ratio(nats["model"], nats["bigram"])
    result["below_bigram"] = None if share is None else 1 - share
    write_json(context.lake.evaluation, result)
    given.say(f"    {described(result)}")
    tally = Tally(rows_in=validation.num_sequences, rows_out=score.num_sequences, unit="sequences")
    return Made(tally=tally, details=result)


BINDING = Binding(_evaluate, trained, leaves(lambda lake: [lake.evaluation]))
