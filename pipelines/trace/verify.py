"""Whether a training read exactly its planned batches: plan, tables, log, checkpoints and model compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.urls import without_secrets
from pipelines.errors import InputError, RinglakeError
from pipelines.lake import Lake, stream_arrow
from pipelines.lake.erasures import masked_sequences
from pipelines.run.snapshots import take_snapshot
from pipelines.run.version import code_version
from pipelines.trace.certificate import check, listed, sealed
from pipelines.trace.model_files import differing_weights, file_hashes, model_folder_of
from pipelines.trace.replay import Replay, batches, replay
from pipelines.trace.trainings import Training, choose
from ringlake.base.storage import Folder, folder_of
from training.checkpoints.checkpoint import DAMAGE
from training.checkpoints.identity import checkpoint_place, checkpoint_steps, identity_of
from training.checkpoints.manifest import STATE_FILE, check_whole, read_limited
from training.data.layout import read_layout
from training.errors import TrainingError
from training.logs.metrics import METRICS_FILE, read_metrics
from training.models.made import MADE_FILE, read_card, read_files

NOT_CHECKED = (
    "losses, gradients and the arithmetic of the steps: nothing is trained again",
    "who made log and checkpoints: somebody who can write all files of a lake can write a log that fits",
)

_MOST_COUNTED = 2**28
"""Sequences whose numbers of tokens are held at once, 1 GiB; with more, tokens are not compared."""


def verify_model(location: str, lake: str | None = None) -> dict[str, Any]:
    """The certificate of a model, whether it holds or not.

    Args:
        location: Model folder, or a lake.
        lake: The lake that it was trained in; None: the one that the folder lies in.

    Returns:
        JSON values, see docs/trace.md.

    Raises:
        InputError: There is no such model, or the lake knows nothing of its training.
    """
    model = model_folder_of(location)
    place = _lake_of(model, location, lake)
    training = choose(place, model.location)
    if not training.identity:
        raise InputError(
            f"the checkpoints of the training {training.key} in {training.folder.location} are gone or "
            f"damaged: nothing is left that could be compared with its plan. Training keeps the newest, "
            f"verify before they are deleted"
        )
    card = (read_card(model) or {}).get("training") or {}
    made = replay(training.plan, training.steps)
    lines, damage = _log_of(training)
    checks = [
        _files(model),
        *_tables(training),
        _tokenizer(training, model),
        _log(lines, training.steps, damage),
        _batches(lines, made),
        _counts(lines, made, training),
        *_checkpoints(training),
        *_ledger(training, made),
    ]
    not_checked = list(NOT_CHECKED)
    for found in (_tokens(lines, training, made), _weights(training, model, card)):
        if isinstance(found, str):
            not_checked.append(found)
        else:
            checks.append(found)
    return sealed(
        {
            "verified_by": f"ringlake {code_version()}",
            "model": {
                "files": _listed_files(model),
                "weights_of_step": card.get("weights of step"),
            },
            "training": {
                "key": training.key,
                "steps": training.steps,
                "state": training.state,
                "config": _shown(training.identity),
                "attempts": [
                    {
                        "run_id": run.run_id,
                        "started_at": run.started_at.isoformat(),
                        "num_ranks": run.details.get("num_ranks"),
                        "resumed_from": run.details.get("resumed_from"),
                    }
                    for run in training.runs
                ],
            },
            "plan": _plain(training.plan.parameters()),
            "tables": [
                {"number": source.number, "version": source.version, "content": source.content}
                | ({} if source.since is None else {"since": source.since})
                for source in training.sources
            ],
            "batches": {
                "steps": training.steps,
                "sequences": made.sequences,
                "chain": made.chain,
                "ids_hashes": made.ids_hashes,
            },
            "checks": checks,
            "not_checked": not_checked,
        }
    )


def _lake_of(model: Folder, location: str, lake: str | None) -> Lake:
    if lake is not None:
        place = Lake.at(lake)
        place.require()
        return place
    for folder in (folder_of(location), folder_of(model.location.rpartition("/")[0] or "/")):
        if folder.child("tables").is_folder():
            return Lake.at(folder.location)
    raise InputError(
        f"the model {model.location} lies in no lake; name the one that it was trained in with --lake, or "
        f"check its certificate: ringlake verify {location} --certificate FILE"
    )


def _listed_files(model: Folder) -> dict[str, Any]:
    """The files that the model's own list names, as they are."""
    return file_hashes(model, sorted({*read_files(model), MADE_FILE}))


def _files(model: Folder) -> dict[str, Any]:
    told = read_files(model)
    there = file_hashes(model, list(told))
    other = sorted(name for name in told if there.get(name) != told[name])
    if not told:
        return check("model files", f"{MADE_FILE} lists no files", "")
    return check(
        "model files",
        f"{', '.join(other)} missing or changed since training" if other else "",
        f"{len(told)} files, by size and SHA-256",
    )


def _tables(training: Training) -> list[dict[str, Any]]:
    """The files of each pinned version, against what the checkpoints say of them."""
    found = []
    sizes, blocks = _sizes(training)
    for source in training.sources:
        name = f"sequences version {source.version}" + (f" of lake {source.number}" if source.number else "")
        try:
            layout = read_layout(take_snapshot(source.lake, "train", source.version, source.since))
        except (RinglakeError, TrainingError) as error:
            found.append(check(name, f"cannot be read: {error}", ""))
            continue
        told = (sizes[source.number], blocks[source.number], source.content)
        there = (layout.num_sequences, layout.block_rows, layout.fingerprint)
        found.append(
            check(
                name,
                ""
                if told == there
                else f"the table was changed: sequences, rows a block and content were {told}, are {there}",
                f"{there[0]:,} sequences, content {there[2]}",
            )
        )
    return found


def _sizes(training: Training) -> tuple[Sequence[int], Sequence[int]]:
    told = training.plan.parameters()
    if training.plan.num_tables == 1 and "num_sequences" in told:
        return [told["num_sequences"]], [told["block_rows"]]
    return told["table_sizes"], told["block_rows"]


def _tokenizer(training: Training, model: Folder) -> dict[str, Any]:
    wanted = training.identity.get("tokenizer")
    noted = (read_card(model) or {}).get("training", {}).get("tokenizer", wanted)
    return check(
        "tokenizer",
        "" if noted == wanted else f"the training's is {wanted}, the model says {noted}",
        f"SHA-256 {wanted}",
    )


def _log_of(training: Training) -> tuple[list[dict[str, Any]], str]:
    """The lines of the log, and what is wrong with the file."""
    folder = training.folder
    try:
        whole = folder.read(METRICS_FILE).count(b"\n")
    except FileNotFoundError:
        return [], f"{METRICS_FILE} is gone"
    lines = [line for line in read_metrics(folder) if type(line["step"]) is int]
    return lines, "" if whole == len(lines) else f"{whole - len(lines)} lines of {METRICS_FILE} are damaged"


def _log(lines: Sequence[Mapping[str, Any]], steps: int, damage: str) -> dict[str, Any]:
    """Every step once, in order."""
    there = [line["step"] for line in lines]
    wanted = list(range(1, steps + 1))
    fault = damage
    if there != wanted:
        missing = sorted({*wanted} - {*there})
        faults = [fault] if fault else []
        if missing:
            faults.append(f"steps {listed(missing)} are missing")
        if twice := sorted(step for step, count in Counter(there).items() if count > 1):
            faults.append(f"steps {listed(twice)} are there twice")
        if more := sorted({*there} - {*wanted}):
            faults.append(f"steps {listed(more)} are beyond the last, {steps}")
        fault = "; ".join(faults) or "the steps are not in order"
    return check("log", fault, f"{steps:,} steps, each once and in order")


def _batches(lines: Sequence[Mapping[str, Any]], made: Replay) -> dict[str, Any]:
    """The ids that the ranks really read, by their hash, against the plan."""
    wrong = [
        line["step"]
        for line in lines
        if not _is_step(line, made) or line.get("ids_hash") != made.ids_hashes[line["step"] - 1]
    ]
    first = next((line for line in lines if line["step"] in wrong[:1]), None)
    fault = ""
    if first is not None:
        wanted = made.ids_hashes[first["step"] - 1] if _is_step(first, made) else "none"
        fault = (
            f"the ids_hash of steps {listed(wrong)} is not the plan's: {first.get('ids_hash')!r} in step "
            f"{first['step']}, the plan has {wanted!r}"
        )
    return check("batches", fault, f"the ids_hash of {len(lines):,} steps is the plan's")


def _counts(lines: Sequence[Mapping[str, Any]], made: Replay, training: Training) -> dict[str, Any]:
    plan = training.plan
    wrong = [
        line["step"]
        for line in lines
        if not _is_step(line, made)
        or line.get("sequences") != made.counts[line["step"] - 1]
        or line.get("epoch") != plan.position(line["step"] - 1)[0]
    ]
    return check(
        "sequences",
        f"sequences or epoch of steps {listed(wrong)} are not the plan's" if wrong else "",
        f"{made.sequences:,} in {training.steps / plan.steps_per_epoch:.2f} epochs",
    )


def _tokens(lines: Sequence[Mapping[str, Any]], training: Training, made: Replay) -> dict[str, Any] | str:
    """The tokens of each batch, as the tables have them now, against the log."""
    if sum(_sizes(training)[0]) > _MOST_COUNTED:
        return f"tokens of each batch: there are more than {_MOST_COUNTED:,} sequences"
    try:
        tokens = np.concatenate(
            [_num_tokens(source.lake, source.version, source.first_id) for source in training.sources]
        )
    except RinglakeError as error:
        return f"tokens of each batch: {error}"
    if len(tokens) != sum(_sizes(training)[0]):
        return "tokens of each batch: the table has another number of sequences"
    told = {line["step"]: line.get("tokens") for line in lines}
    erased = _erased(training)
    skipped, wrong = [], []
    for step, ids in enumerate(batches(training.plan, training.steps), start=1):
        if erased[ids].any():
            skipped.append(step)
        elif step in told and told[step] != int(tokens[ids].sum()):
            wrong.append(step)
    left_out = f"; in {len(skipped):,} others documents were forgotten since" if skipped else ""
    return check(
        "tokens",
        f"tokens of steps {listed(wrong)} are not those of the sequences in the table" if wrong else "",
        f"of {len(made.counts) - len(skipped):,} steps, as the table has them{left_out}",
    )


def _erased(training: Training) -> npt.NDArray[np.bool_]:
    """For each training sequence whether documents in it were forgotten: it may have had more tokens."""
    found = []
    for source, size in zip(training.sources, _sizes(training)[0], strict=True):
        hit = np.zeros(size, bool)
        masked = np.asarray(masked_sequences(source.lake, source.version, "train"), np.int64)
        hit[masked[masked >= source.first_id] - source.first_id] = True
        found.append(hit)
    return np.concatenate(found)


def _num_tokens(lake: Lake, version: int, first_id: int) -> npt.NDArray[np.int32]:
    """Tokens of each training sequence from an id on, by its id from there."""
    parts = [
        (batch.column("sequence_id").to_numpy(), batch.column("num_tokens").to_numpy())
        for batch in stream_arrow(
            lake,
            "sequences",
            ["sequence_id", "num_tokens"],
            f"split = 'train' AND sequence_id >= {int(first_id)}",
            version,
        )
    ]
    ids = np.concatenate([each for each, _ in parts] or [np.empty(0, np.int64)]) - first_id
    found = np.zeros(len(ids), np.int32)
    if len(ids) and (ids.min() < 0 or ids.max() >= len(ids)):
        raise InputError(f"version {version} of table 'sequences' does not have the ids 0 to {len(ids) - 1}")
    found[ids] = np.concatenate([each for _, each in parts]) if parts else found
    return found


def _checkpoints(training: Training) -> list[dict[str, Any]]:
    """Each checkpoint: whole, of this training, and with the totals that the plan has up to its step."""
    plan, folder = training.plan, training.folder
    faults, steps = [], checkpoint_steps(folder)
    for step in steps:
        place = checkpoint_place(folder, step)
        try:
            check_whole(place)
            state = json.loads(read_limited(place, STATE_FILE))
            totals = state["totals"]
            done = (totals["step"], totals["sequences"] + totals["lost"])
            lost = totals["lost"]
        except DAMAGE as error:
            faults.append(f"that of step {step} is damaged: {' '.join(str(error).split())}")
            continue
        if identity_of(state) != training.identity:
            faults.append(f"that of step {step} is of another training")
        if done != (step, plan.count_sequences(step)):
            faults.append(
                f"that of step {step} has done {done[1]} sequences in {done[0]} steps, the plan has "
                f"{plan.count_sequences(step)} in {step}"
            )
        if lost:
            faults.append(f"up to step {step}, {lost} planned sequences were lost with a rank")
    return [
        check(
            "checkpoints",
            "; ".join(faults),
            f"steps {listed(steps)}: whole by SHA-256, of one training, with the plan's totals",
        )
    ]


def _ledger(training: Training, made: Replay) -> list[dict[str, Any]]:
    record = training.record
    if record is None or record.state != "succeeded":
        return []
    wanted = (made.sequences, made.sequences, training.steps)
    there = (record.rows_in, record.rows_out, record.details.get("steps"))
    return [
        check(
            "ledger",
            "" if there == wanted else f"sequences planned, used and steps are {there}, by the plan {wanted}",
            f"run {record.run_id}: {there[1]:,} sequences used as planned",
        )
    ]


def _weights(training: Training, model: Folder, card: Mapping[str, Any]) -> dict[str, Any] | str:
    """The model's parameters, bit by bit those of the checkpoint that it was written from."""
    if (training.identity.get("train.lora") or {}).get("rank"):
        return "weights: adapters were merged into the model, which rounds"
    step = card.get("weights of step", training.steps)
    if type(step) is not int or step not in checkpoint_steps(training.folder):
        return f"weights: the checkpoint of step {step} is gone"
    try:
        other, count = differing_weights(model, checkpoint_place(training.folder, step))
    except (OSError, ValueError) as error:
        return check("weights", f"cannot be compared: {' '.join(str(error).split())}", "")
    return check(
        "weights",
        f"{listed(other)} of the model are not those of the checkpoint of step {step}" if other else "",
        f"{count} tensors, bit by bit those of the checkpoint of step {step}",
    )


def _is_step(line: Mapping[str, Any], made: Replay) -> bool:
    return type(line["step"]) is int and 1 <= line["step"] <= len(made.counts)


def _shown(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity without places: a certificate is made to be given away."""
    found = {}
    for name, value in identity.items():
        if name.rpartition(".")[2] == "table":
            continue
        shown = value
        if name in ("model.pretrained", "model.embeddings") and isinstance(value, str):
            shown = without_secrets(value).rstrip("/").rpartition("/")[2]
        elif name == "train.mixture" and isinstance(value, dict):
            lakes = [
                {key: item for key, item in lake.items() if key != "lake"} for lake in value.get("lakes", [])
            ]
            shown = {**value, "lakes": lakes}
        found[name] = shown
    return found


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
