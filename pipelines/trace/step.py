"""What a global batch held: its documents and the places in raw files that they came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.trace.documents import described
from pipelines.trace.sequences import documents_in
from pipelines.trace.trainings import Training, lineage
from training.logs.metrics import combine_hashes, hash_ids, read_metrics


def trace_step(training: Training, step: int) -> dict[str, Any]:
    """The documents of a global batch.

    Args:
        training: The training.
        step: Its step, as the log counts: the first is 1.

    Returns:
        `documents`, `steps` (one) and `models` (one), JSON values.

    Raises:
        InputError: It had no such step, or its sequences cannot be read any more.
    """
    if not 1 <= step <= training.steps:
        raise InputError(
            f"--step {step}: the training {training.key} has the steps 1 to {training.steps} "
            f"({training.state}); the first step is 1, as in metrics.jsonl"
        )
    plan = training.plan
    ids = np.concatenate(plan.batch(step - 1))
    sequences: list[dict[str, Any]] = []
    documents: dict[tuple[str, str], dict[str, Any]] = {}
    for source, planned_ids in zip(training.sources, plan.by_table(ids), strict=True):
        own = planned_ids + source.first_id
        rows = documents_in(source.lake, source.version, own.tolist())
        if len({row["sequence_id"] for row in rows}) < len({*own.tolist()}):
            raise InputError(
                f"version {source.version} of table 'sequences' of the lake {source.lake.location} does not "
                f"have all sequences that step {step} of the training {training.key} read: it was changed"
            )
        known = described(
            source.lake,
            list(dict.fromkeys(segment["doc_id"] for row in rows for segment in row["segments"])),
            lineage(source.lake, "sequences", source.version).get("documents"),
        )
        for row in rows:
            sequences.append(
                {
                    "lake": source.lake.location,
                    "version": source.version,
                    "sequence_id": row["sequence_id"],
                    "num_tokens": row["num_tokens"],
                    "segments": row["segments"],
                }
            )
            for segment in row["segments"]:
                document = documents.setdefault(
                    (source.lake.location, segment["doc_id"]),
                    known[segment["doc_id"]] | {"lake": source.lake.location, "parts": []},
                )
                document["parts"].append(
                    {"sequence_id": row["sequence_id"]}
                    | {key: segment[key] for key in ("start", "end", "doc_start")}
                )
    logged = _logged(training, step)
    planned = combine_hashes(hash_ids(ids))
    return {
        "documents": list(documents.values()),
        "steps": [
            {
                "model": training.key,
                "step": step,
                "epoch": plan.position(step - 1)[0],
                "ids_hash": planned,
                "ids_hash_in_log": logged,
                "sequences": sequences,
            }
        ],
        "models": [training.described()],
    }


def _logged(training: Training, step: int) -> str | None:
    """The hash of what the ranks really read, by the log; None where the log is gone."""
    lines = read_metrics(training.folder)
    return next((str(line.get("ids_hash")) for line in lines if line["step"] == step), None)
