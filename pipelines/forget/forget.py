"""A request to forget from beginning to end: what it means is recorded before anything is changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.errors import InputError
from pipelines.forget.carry_out import Say, carry_out
from pipelines.forget.copies import CERTAIN, Needles
from pipelines.forget.near import clusters_of
from pipelines.forget.plan import Plan, make_plan
from pipelines.forget.report import write_report
from pipelines.forget.request import Request, documents_of
from pipelines.forget.texts import contents_as_read, strings, texts_of, with_same_text
from pipelines.lake import Lake
from pipelines.lake.erasures import STARTED, Erasure, erased_ids, erasures_of, record_erasure
from pipelines.run.batched import refuse_named, refuse_unfinished_batch
from pipelines.run.version import code_version
from pipelines.trace.document import steps_with
from pipelines.trace.documents import described
from pipelines.trace.trainings import trainings_of

_TOLD = ("source", "source_id", "offset")
"""What the register says of a document besides its id."""


@dataclass(frozen=True)
class Forgotten:
    """What became of a request.

    Attributes:
        erasures: The erasures that were carried out or, in a dry run, would be; those that had been
            interrupted come first.
        before: The erasures that had forgotten all of it already.
        dry_run: Whether nothing was changed.
    """

    erasures: tuple[Erasure, ...]
    before: tuple[Erasure, ...] = ()
    dry_run: bool = False


def forget(lake: Lake, request: Request, reason: str | None, say: Say, *, dry_run: bool = False) -> Forgotten:
    """Forgets documents of a lake, after whatever an interrupted erasure has left to do.

    Args:
        lake: The lake.
        request: Which documents.
        reason: Why; it is put down with the request.
        say: Takes lines for people.
        dry_run: Look, record nothing and change nothing.

    Raises:
        InputError: An id is unknown, or a table cannot be rewritten; nothing was changed.
        EnvironmentProblem: Another process holds the lake, or one of its histories.
    """
    refuse_named(lake, "forget")
    lake.require()
    with lake.locked():
        refuse_unfinished_batch(lake)
        begun = [each for each in erasures_of(lake) if each.state == STARTED]
        if begun and not dry_run:
            begun = [_finish(lake, each, say) for each in begun]
        if request.is_empty:
            if not begun:
                raise InputError(
                    f"no document is named, and the lake {lake.location} has no erasure that was interrupted;"
                    f" give an ID, --where or --file"
                )
            return Forgotten(tuple(begun), dry_run=dry_run)
        earlier = erasures_of(lake)
        doc_ids, known = documents_of(lake, request, earlier)
        # Of one that was begun and that a dry run leaves, tables may still have some.
        new = [doc_id for doc_id in doc_ids if doc_id not in erased_ids(begun)] if dry_run else doc_ids
        if not new:
            return Forgotten(tuple(begun), _before(request, earlier, known), dry_run)
        erasure = _prepared(lake, request, new, reason)
        if dry_run:
            return Forgotten((*begun, erasure), dry_run=True)
        record_erasure(lake, erasure)
        return Forgotten((*begun, _finish(lake, erasure, say)))


def _before(request: Request, earlier: Sequence[Erasure], known: set[str]) -> tuple[Erasure, ...]:
    """Erasures that had done already what is asked for."""
    found = [each for each in earlier if known & set(each.doc_ids) or each.request["key"] == request.key]
    if not found:
        raise InputError("--where: no document fits the condition; nothing was changed")
    return tuple(found)


def _prepared(lake: Lake, request: Request, doc_ids: Sequence[str], reason: str | None) -> Erasure:
    """An erasure with all that is to be known of it, as it is begun."""
    asked = set(doc_ids)
    near = clusters_of(lake, asked) if request.near else asked
    everyone = with_same_text(lake, near)
    if request.near:
        everyone |= clusters_of(lake, everyone)
    texts = texts_of(lake, everyone)
    needles = Needles.of(strings(texts), everyone)
    if reason is not None and needles.are_in(reason):
        raise InputError(
            f"--reason has a forgotten document's id or a passage of {CERTAIN} characters of its text; say "
            f"it in other words, the register must not hold it"
        )
    trainings = trainings_of(lake)
    steps, problems = steps_with(lake, trainings, sorted(everyone))
    seen = {step["model"] for step in steps}
    known = described(lake, sorted(everyone))
    documents = [
        {
            "doc_id": doc_id,
            **{name: known[doc_id][name] for name in _TOLD},
            "why": "asked" if doc_id in asked else "near-duplicate" if doc_id in near else "same text",
        }
        for doc_id in sorted(everyone)
    ]
    plan = make_plan(lake, everyone, needles)
    return Erasure(
        erasure_id=uuid.uuid4().hex[:16],
        state=STARTED,
        requested_at=datetime.now(UTC),
        request={**request.told(strings(texts)), **({"problems": problems} if problems else {})},
        doc_ids=sorted(everyone),
        contents=contents_as_read(texts),
        documents=documents,
        plan=plan.as_json(),
        models=[each.described() for each in trainings if each.key in seen],
        steps=steps,
        code_version=code_version(),
        reason=reason,
    )


def _finish(lake: Lake, erasure: Erasure, say: Say) -> Erasure:
    say(f"forget: erasure {erasure.erasure_id}: {len(erasure.doc_ids):,} documents")
    done, masked = carry_out(lake, erasure, say)
    finished = erasure.finished(done, masked)
    finished.done["report"] = write_report(lake, finished)
    record_erasure(lake, finished)
    return finished


def described_json(found: Forgotten) -> dict[str, Any]:
    """What became of a request as JSON values."""
    return {
        "dry_run": found.dry_run,
        "erasures": [_json(each) for each in found.erasures],
        "already_forgotten": [each.erasure_id for each in found.before],
    }


def _json(erasure: Erasure) -> dict[str, Any]:
    return {
        "erasure_id": erasure.erasure_id,
        "state": erasure.state,
        "requested_at": erasure.requested_at.isoformat(),
        "finished_at": None if erasure.finished_at is None else erasure.finished_at.isoformat(),
        "reason": erasure.reason,
        "request": erasure.request,
        "documents": erasure.documents,
        "tables": {
            name: {"files": len(files), "rows": sum(files.values())}
            for name, files in Plan(**erasure.plan).tables.items()
        },
        "plan": erasure.plan,
        "done": erasure.done,
        "steps": erasure.steps,
        "models": erasure.models,
    }
