"""What the card says, gathered from the tables, their logs and the ledger, without Spark."""

from __future__ import annotations

from typing import Any

from conf.card import CardConfig
from pipelines.added import every_stage
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, Ledger, RunRecord, TableInfo, read_sql
from pipelines.run.record import EXTENSIONS
from pipelines.stages import BY_NAME, before
from training.facts import TARGET, target_of

REASONS = (
    ("ingest", "quarantine", "reason"),
    ("clean", "rejected", "rule"),
    ("dedup", "duplicates", "method"),
    ("dedup", "contaminated", "eval_set"),
)
"""Stage, its table of what it removed, and the column with the reason."""


def collect_facts(lake: Lake, config: CardConfig, name: str) -> dict[str, Any]:
    """Everything the card says, as JSON values.

    Only tables count that a stage after them, or the newest run that wrote them, goes by: what is left of an
    optional part that is no longer configured does not.

    Args:
        lake: The lake; it must have a corpus.
        config: Licence, contact, description and how many rows a list has.
        name: What the corpus is called.

    Raises:
        InputError: There is no corpus yet.
    """
    lake.require()
    ledger = Ledger(lake)
    stages = [stage.name for stage in before("sequences")]
    runs = {stage: run for stage in stages if (run := ledger.latest(stage)) is not None}
    if "dedup" not in runs:
        raise InputError(
            f"the lake {lake.location} has no corpus that a card could describe; make one first: "
            f"ringlake dedup --lake {lake.location}"
        )
    catalog = Catalog(lake)
    used = {table for run in runs.values() for table in run.outputs} - _unused(runs)
    tables = {table: catalog.info(table) for table in catalog.names() if table in used}
    versions = {table: info.version for table, info in tables.items()}
    encoded = _encoded(tables)
    clean = runs.get("clean")
    added = _added(ledger, versions_now={table: catalog.version(table) for table in catalog.names()})
    return {
        "name": name,
        "license": config.license,
        "contact": config.contact,
        "description": config.description,
        "totals": _totals(lake, versions, encoded),
        "splits": _groups(lake, versions, encoded, "c.split", config.max_rows),
        "languages": _groups(lake, versions, encoded, "c.lang", config.max_rows),
        "sources": _groups(lake, versions, encoded, "split_part(c.source, '/', 1)", config.max_rows),
        "removed": _removed(lake, runs, versions),
        "personal_data": _personal_data(lake, versions),
        "rules": clean.details if clean is not None else {},
        "deduplication": _configuration(runs["dedup"], "dedup"),
        "decontamination": runs["dedup"].details.get("decontamination"),
        "repeats": _configuration(runs.get("repeats"), "repeats") if "trimmed" in used else None,
        "mixture": runs["mix"].details if "mixed" in used else None,
        "tokenizer": _tokenizer(tables.get("tokens")),
        "tables": {
            table: {"version": info.version, "rows": info.rows, "bytes": info.bytes}
            for table, info in tables.items()
        },
        "extensions": _extensions({**runs, **added}),
        "added": {
            run.stage: {
                "in": run.rows_in,
                "out": run.rows_out,
                "rejected": run.rows_rejected,
                "unit": run.unit,
            }
            for run in added.values()
        },
        "code_version": runs["dedup"].code_version,
    }


def _added(ledger: Ledger, versions_now: dict[str, int | None]) -> dict[str, RunRecord]:
    """The newest runs of other packages' stages that read the tables which are there now."""
    stages = [stage.name for stage in every_stage() if stage.name not in BY_NAME and stage.is_reported]
    found = {stage: run for stage in stages if (run := ledger.latest(stage)) is not None}
    return {
        stage: run
        for stage, run in found.items()
        if all(versions_now.get(table) == version for table, version in run.inputs.items())
    }


def _extensions(runs: dict[str, RunRecord]) -> dict[str, str]:
    """What of other packages the runs used, by stage."""
    used = {stage: run.details.get(EXTENSIONS, []) for stage, run in runs.items()}
    return {
        stage: ", ".join(f"{item['name']} of {item['distribution']} {item['version']}" for item in found)
        for stage, found in used.items()
        if found
    }


def _unused(runs: dict[str, RunRecord]) -> set[str]:
    """Tables of optional stages that no stage behind them read in its newest run."""
    unused: set[str] = set()
    for stage in before("sequences"):
        is_read = any(table in run.inputs for run in runs.values() for table in stage.writes)
        if stage.is_optional and not is_read:
            unused.update(stage.writes)
    return unused


def _encoded(tables: dict[str, TableInfo]) -> bool:
    """Whether `tokens` is of this corpus."""
    tokens = tables.get("tokens")
    return tokens is not None and tokens.metadata.get("inputs", {}).get("corpus") == tables["corpus"].version


def _totals(lake: Lake, versions: dict[str, int], encoded: bool) -> dict[str, Any]:
    sql = "SELECT count(*) AS documents, sum(num_bytes) AS bytes FROM corpus"
    (row,) = read_sql(lake, sql, {"corpus": versions["corpus"]})
    tokens = None
    if encoded:
        sql = "SELECT sum(num_tokens) AS tokens FROM tokens"
        tokens = read_sql(lake, sql, {"tokens": versions["tokens"]})[0]["tokens"]
    return {**row, "tokens": tokens}


def _groups(
    lake: Lake, versions: dict[str, int], encoded: bool, key: str, max_rows: int
) -> dict[str, list[dict[str, Any]] | int]:
    """Documents, bytes and tokens of the largest groups, and how many groups there are."""
    tokens = "sum(t.num_tokens)" if encoded else "CAST(NULL AS BIGINT)"
    join = "LEFT JOIN tokens t ON c.doc_id = t.doc_id" if encoded else ""
    names = ("corpus", "tokens") if encoded else ("corpus",)
    # The parts of the query are constants of this file.
    grouped = (
        f"SELECT {key} AS name, count(*) AS documents, sum(c.num_bytes) AS bytes, "  # noqa: S608
        f"{tokens} AS tokens FROM corpus c {join} GROUP BY 1"
    )
    sql = (
        f"SELECT *, count(*) OVER () AS total FROM ({grouped}) ORDER BY documents DESC, name LIMIT {max_rows}"  # noqa: S608
    )
    rows = read_sql(lake, sql, {name: versions[name] for name in names})
    total = rows[0]["total"] if rows else 0
    return {
        "groups": int(total),
        "rows": [{key: value for key, value in row.items() if key != "total"} for row in rows],
    }


def _removed(lake: Lake, runs: dict[str, RunRecord], versions: dict[str, int]) -> list[dict[str, Any]]:
    removed = []
    for stage, table, column in REASONS:
        if stage in runs and table in runs[stage].outputs and table in versions:
            counted = "CAST(sum(records) AS BIGINT)" if table == "quarantine" else "count(*)"
            sql = f'SELECT "{column}" AS reason, {counted} AS rows FROM "{table}" GROUP BY 1'  # noqa: S608
            rows = read_sql(lake, sql, {table: versions[table]})
            rows.sort(key=lambda row: (-row["rows"], row["reason"]))
            removed += [{"stage": stage, "table": table, **row} for row in rows]
    if "emptied" in versions and (count := runs["repeats"].rows_rejected):
        removed.append({"stage": "repeats", "table": "emptied", "reason": "repeats only", "rows": count})
    if "mixed" in versions and (count := runs["mix"].rows_rejected):
        removed.append({"stage": "mix", "table": "mixed", "reason": "no copy", "rows": count})
    return removed


def _personal_data(lake: Lake, versions: dict[str, int]) -> dict[str, int]:
    """Placeholders by kind, in the documents that passed cleaning."""
    if "clean" not in versions:
        return {}
    totals = Catalog(lake).sums_of_map("clean", versions["clean"], "pii")
    return dict(sorted(totals.items()))


def _configuration(run: RunRecord | None, section: str) -> dict[str, Any] | None:
    """A section of the configuration that a run had."""
    import json

    return dict(json.loads(run.config)[section]) if run is not None else None


def _tokenizer(tokens: TableInfo | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    found = {name: tokens.metadata.get(name) for name in ("tokenizer_hash", "vocab_size", "eod_id")}
    target = target_of(tokens.metadata.get("task") or {})
    return found if target is None else found | {TARGET: target.noted()}
