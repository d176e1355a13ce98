"""Evaluate: the model and two baselines on the same tokens."""

from __future__ import annotations

import math
from typing import Any

from pipelines.bindings.model import leaves, own_model, trained
from pipelines.bindings.scores import described, finite, perplexity, ratio
from pipelines.errors import AccountingError
from pipelines.evaluate.baselines import baselines
from pipelines.lake import read_table
from pipelines.lake.paths import write_json
from pipelines.run.accounting import Tally
from pipelines.run.binding import Binding, Given, Made
from training.start import evaluate_model


def _evaluate(given: Given[None]) -> Made:
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
