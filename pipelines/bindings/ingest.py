"""Ingest: finds the files once, and says what became of their records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from pipelines.bindings.erased import without_erased
from pipelines.errors import DocumentsLostError
from pipelines.ingest.discover import (
    InputFile,
    discover,
    fingerprint,
    hidden_detail,
    unknown_format_notice,
)
from pipelines.ingest.readers import extensions_of
from pipelines.ingest.stage import ingest
from pipelines.lake import read_sql
from pipelines.lake.erasures import erased_contents
from pipelines.run.accounting import Tally
from pipelines.run.binding import Besides, Binding, Finished, Given, Made, Written
from pipelines.run.context import Context


@dataclass(frozen=True)
class Found:
    """What the inputs of the configuration are.

    Attributes:
        files: What is read, sorted by source.
        left_out: Paths of local folders that are left out for their names.
    """

    files: list[InputFile]
    left_out: list[str]


def _find(context: Context) -> Besides[Found]:
    left_out: list[str] = []
    files = discover(context.config.ingest, left_out) if context.batch is None else context.batch.files
    size = sum(file.num_bytes for file in files)
    many = "file" if len(files) == 1 else "files"
    told = f"{len(files):,} {many}, {size / 2**20:,.1f} MiB"
    extensions = extensions_of(file.format for file in files)
    return Besides(Found(files, left_out), fingerprint(files), size, told, extensions)


def _ingest(given: Given[Found]) -> Made:
    output = ingest(given.spark, given.config.ingest, given.besides.files)
    batch = given.context.batch
    lake = given.context.lake if batch is None else batch.added_to
    output = without_erased(output, erased_contents(lake))
    return Made.of(output, finish=partial(_tell, given))


def _tell(given: Given[Found], written: Written) -> Finished:
    """Says what was left out and why; refuses where too much was."""
    tally = written.tally
    assert tally is not None
    if given.besides.left_out:
        given.say(f"    note: {hidden_detail(given.besides.left_out)}")
    if tally.rows_quarantined:
        reasons = _reasons(given, written.versions["quarantine"])
        given.say(f"    quarantined: {reasons}")
        if (unknown := unknown_format_notice(given.config.ingest, given.besides.files)) is not None:
            given.say(f"    note: {unknown}")
            reasons = f"{reasons}; {unknown}"
        return Finished(refusal=_refusal(given, tally, reasons))
    if not tally.rows_out:
        return Finished(refusal=_refusal(given, tally, "the inputs hold no record"))
    return Finished()


def _reasons(given: Given[Found], version: int) -> str:
    """Why records were quarantined, the most frequent reason first, each with its count."""
    sql = "SELECT reason, sum(records) AS number FROM quarantine GROUP BY reason ORDER BY number DESC, reason"
    rows = read_sql(given.context.lake, sql, {"quarantine": version})
    return ", ".join(f"{row['reason']} {int(row['number']):,}" for row in rows)


def _refusal(given: Given[Found], tally: Tally, reasons: str) -> DocumentsLostError | None:
    """What to end with where nothing was kept, or less than `ingest.max_quarantined_share` allows for."""
    limit, place = given.config.ingest.max_quarantined_share, given.context.lake.location
    look = f"see which and why: ringlake show {place} quarantine"
    if not tally.rows_out and (given.context.batch is None or limit < 1):
        remedy = (
            ""
            if given.context.batch is None
            else "; if a batch may keep none: --set ingest.max_quarantined_share=1"
        )
        return DocumentsLostError(
            f"ingest: none of {tally.rows_in:,} records became a document ({reasons}); {look}{remedy}"
        )
    if not tally.rows_in:
        return None
    share = tally.rows_quarantined / tally.rows_in
    if share <= limit:
        return None
    return DocumentsLostError(
        f"ingest: {tally.rows_quarantined:,} of {tally.rows_in:,} records ({share:.1%}) were quarantined "
        f"({reasons}), more than ingest.max_quarantined_share = {limit:g} allows; {look}; if they may go, "
        f"raise it: --set ingest.max_quarantined_share={math.ceil(share * 100) / 100:g}"
    )


BINDING = Binding(_ingest, _find)
