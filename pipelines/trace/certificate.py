"""The certificate of a training: read, written, and checked by somebody who has neither lake nor cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.trace.model_files import file_hashes, model_folder_of
from pipelines.trace.replay import replay
from pipelines.trace.trainings import plan_of

FORMAT = "ringlake-certificate/1"
EXACT, DIFFERS = "exact", "differs"

MAX_BYTES = 256 << 20
"""Largest certificate that is read; a step takes about 15 bytes of it."""

MAX_BATCH = 1 << 22
"""Largest global batch that is replayed: a number costs somebody else's file nothing."""


def check(name: str, fault: str, detail: str) -> dict[str, Any]:
    """A check: passed where there is no fault.

    Args:
        name: What was looked at.
        fault: What is wrong; empty: nothing.
        detail: What was found where nothing is.
    """
    return {"name": name, "passed": not fault, "detail": fault or detail}


def sealed(found: Mapping[str, Any]) -> dict[str, Any]:
    """A certificate with the verdict that its checks make and a digest of all else."""
    verdict = EXACT if all(each["passed"] for each in found["checks"]) else DIFFERS
    whole = {"format": FORMAT, "verdict": verdict, **found}
    return {**whole, "digest": digest_of(whole)}


def digest_of(found: Mapping[str, Any]) -> str:
    """SHA-256 of a certificate without its digest: JSON with sorted keys and without spaces, UTF-8."""
    rest = {name: value for name, value in found.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_certificate(found: Mapping[str, Any], name: str) -> None:
    """Writes it as JSON; InputError if the file cannot be written."""
    try:
        Path(name).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {name!r} cannot be written: {error.strerror}; name another file") from None


def read_certificate(name: str) -> dict[str, Any]:
    """A certificate from a file; InputError if it is none, too large, or of another form."""
    try:
        with Path(name).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"the certificate {name!r} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"the certificate {name!r} has more than {MAX_BYTES:,} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the certificate {name!r} is no JSON: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{name!r} is no certificate of the form {FORMAT}; verify the model again")
    batches, checks = found.get("batches"), found.get("checks")
    if (
        not isinstance(found.get("plan"), dict)
        or not isinstance(batches, dict)
        or type(batches.get("steps")) is not int
        or batches["steps"] < 1
        or not isinstance(batches.get("ids_hashes"), list)
        or not isinstance(checks, list)
        or not all(isinstance(each, dict) and {"name", "passed", "detail"} <= each.keys() for each in checks)
    ):
        raise InputError(f"the certificate {name!r} lacks plan, batches or checks; verify the model again")
    return found


def check_certificate(found: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Checks a certificate: its batches against its plan and, if there is one, a model folder.

    Args:
        found: What `read_certificate` gave.
        model: The model folder, or a lake; None: the certificate alone.

    Returns:
        `verdict`, `checks` and `not_checked`, JSON values.
    """
    batches = found["batches"]
    steps = batches["steps"]
    checks = [
        check(
            "digest",
            ""
            if found.get("digest") == digest_of(found)
            else "it is not that of the content: it was changed",
            "that of the content",
        ),
        check(
            "verdict",
            ""
            if found.get("verdict") == EXACT and all(each["passed"] is True for each in found["checks"])
            else "who verified found differences: "
            + "; ".join(str(each["detail"]) for each in found["checks"] if each["passed"] is not True),
            f"{len(found['checks'])} checks passed when it was made",
        ),
    ]
    plan = plan_of({f"plan.{name}": value for name, value in found["plan"].items()})
    if plan.global_batch_size > MAX_BATCH:
        raise InputError(
            f"the certificate's plan has batches of {plan.global_batch_size:,} sequences, more than the "
            f"{MAX_BATCH:,} that are replayed"
        )
    told = batches["ids_hashes"]
    # A list that is too short is wrong whatever the plan says: a number alone makes nobody compute for hours.
    try:
        made = replay(plan, min(steps, len(told)))
    except (ValueError, OverflowError) as error:
        raise InputError(f"the certificate's plan cannot be computed: {error}") from error
    wrong = [
        step
        for step in range(1, len(told) + 2 if steps > len(told) else len(told) + 1)
        if step > min(steps, len(told)) or told[step - 1] != made.ids_hashes[step - 1]
    ]
    checks.append(
        check(
            "batches",
            f"steps {listed(wrong)} are not those of the plan" if wrong else "",
            f"{steps:,} steps, each as the plan has it",
        )
    )
    checks.append(
        check(
            "chain",
            ""
            if batches.get("chain") == made.chain
            else f"it is {batches.get('chain')}, the plan's is {made.chain}",
            made.chain,
        )
    )
    checks.append(
        check(
            "sequences",
            ""
            if batches.get("sequences") == made.sequences
            else f"it says {batches.get('sequences')}, the plan has {made.sequences}",
            f"{made.sequences:,} in all steps",
        )
    )
    not_checked = ["that the ranks read these batches: that is what was verified where log and tables lie"]
    if model is None:
        not_checked.append("the model: name its folder beside --certificate")
    else:
        checks.append(_same_files(found, model))
    verdict = EXACT if all(each["passed"] for each in checks) else DIFFERS
    return {"verdict": verdict, "checks": checks, "not_checked": not_checked}


def _same_files(found: Mapping[str, Any], model: str) -> dict[str, Any]:
    told = found.get("model")
    files = told.get("files") if isinstance(told, dict) else None
    if not isinstance(files, dict) or not files:
        return check("model", "the certificate names no files of a model", "")
    folder = model_folder_of(model)
    there = file_hashes(folder, [str(name) for name in files])
    other = sorted(name for name in files if there.get(name) != files[name])
    return check(
        "model",
        f"{', '.join(other)} in {folder.location} {'is' if len(other) == 1 else 'are'} missing or not "
        f"that of the certificate"
        if other
        else "",
        f"{len(files)} files, by size and SHA-256",
    )


def listed(values: Sequence[Any], most: int = 5) -> str:
    """The first values, and how many more there are."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(str, values[:most])) + more
