"""Evaluate: the loss of the validation split beside two baselines, or the answers of a task."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conf.urls import without_secrets
from pipelines.bindings.model import leaves, own_model, trained
from pipelines.bindings.model_readme import write_readme
from pipelines.bindings.scores import described, finite, perplexity, ratio
from pipelines.bindings.task_scores import score_task
from pipelines.bindings.tokenizers import tokenizer_folder
from pipelines.errors import AccountingError
from pipelines.evaluate.baselines import baselines
from pipelines.lake import read_table
from pipelines.lake.paths import write_json
from pipelines.run.accounting import Tally
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.usage import GPU_SECONDS
from ringlake.base.storage import folder_of
from ringlake.base.tasks import LANGUAGE_MODEL, TaskKind, extensions_of, kind_of
from training.data.snapshot import Snapshot
from training.outcome import Score
from training.start import evaluate_model


def _evaluate(given: Given[None]) -> Made:
    kind = kind_of(given.config.task.name)
    return _answers(given, kind) if kind.scores else _on_sequences(given, kind.name)


def _answers(given: Given[None], kind: TaskKind) -> Made:
    """What the model says of validation examples, compared with what is right."""
    context = given.context
    scores = score_task(given, kind, own_model(context).location)
    result = {"task": kind.name, "sequences_version": context.snapshot("validation").version, **scores}
    write_json(context.lake.evaluation, result)
    write_readme(context, result)
    given.say(f"    {_shown(result['metrics'])}")
    missing = sum(result["not_answered"].values())
    examples = int(result["examples"])
    tally = Tally(rows_in=examples, rows_out=examples - missing, rows_rejected=missing, unit="examples")
    return Made(tally=tally, details={"metrics": result["metrics"], "baselines": result["baselines"]})


def _shown(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in metrics.items() if value is not None)


def _on_sequences(given: Given[None], name: str) -> Made:
    """The loss of the whole validation split; of a language model beside two baselines."""
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
    figures = {
        "loss": finite(score.loss),
        "perplexity": perplexity(score.loss),
        "bits_per_byte": finite(score.bits_per_byte),
    }
    result: dict[str, Any] = {
        "task": name,
        "metrics": figures,
        "sequences_version": validation.version,
        "sequences": score.num_sequences,
        "targets": score.num_targets,
        "bytes": score.num_bytes,
        "model": figures,
    }
    if name == LANGUAGE_MODEL:
        result |= _before(given, validation) | _baselines(given, validation, score)
        told = described(result)
    else:
        told = _shown(figures)
    write_json(context.lake.evaluation, result)
    write_readme(context, result)
    given.say(f"    {told}")
    tally = Tally(rows_in=validation.num_sequences, rows_out=score.num_sequences, unit="sequences")
    used = {GPU_SECONDS: score.gpu_seconds} if score.gpu_seconds else {}
    return Made(tally=tally, details=result | used)


def _before(given: Given[None], validation: Snapshot) -> dict[str, Any]:
    """What the model that training began with says of the same tokens; nothing if it began from scratch."""
    context = given.context
    start = _start(context)
    if start is None:
        return {}
    if not folder_of(start).exists("config.json"):
        given.say(f"    the model that training began with is not there any more: {without_secrets(start)}")
        return {}
    given.say("    scoring the model that training began with on the same tokens")
    score = evaluate_model(
        context.spark,
        context.config.evaluate,
        context.config.train,
        validation,
        start,
        given.say,
        before=tokenizer_folder(context.lake, validation.tokenizer_hash).location,
    )
    return {"before": {"loss": finite(score.loss), "bits_per_byte": finite(score.bits_per_byte)}}


def _start(context: Context) -> str | None:
    """The folder that the training in the ledger began with; its secrets are those of the run file."""
    noted = json.loads(context.last("train").config).get("model", {}).get("pretrained")
    named = context.config.model.pretrained
    return named if named is not None and without_secrets(named) == noted else noted


def _baselines(given: Given[None], validation: Snapshot, score: Score) -> dict[str, Any]:
    """What models that only count say of the same tokens.

    Raises:
        AccountingError: They were scored on other targets.
    """
    given.say("    scoring the unigram and bigram baselines on the same tokens")
    sequences = read_table(given.spark, given.context.lake, "sequences", validation.version)
    compared: dict[str, Any] = {}
    nats: dict[str, float] = {}
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
    # Of one text: its bytes and targets are the same for both.
    share = ratio(score.nats, nats["bigram"])
    return {**compared, "below_bigram": None if share is None else 1 - share}


def _trained(context: Context) -> Besides[None]:
    """The model that is scored, and what of another package its task is."""
    return replace(trained(context), extensions=extensions_of(context.config.task.name))


BINDING = Binding(_evaluate, _trained, leaves(lambda lake: [lake.evaluation]))
