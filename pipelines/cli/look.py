"""`ringlake status` and `ringlake show`: looking into a lake without starting Spark."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pipelines.cli.stages import TraceOption

COUNTS = ("rows_in", "rows_out", "rows_rejected", "rows_quarantined", "rows_duplicate")
FIELDS = (
    *("stage", "state", "inputs", "outputs", "unit", *COUNTS),
    *("seconds", "cpu_seconds", "gpu_seconds", "read_bytes", "written_bytes", "peak_memory_mb"),
    *("config_hash", "code_version"),
)

LakeArgument = Annotated[str, typer.Argument(help="Folder of the lake.", metavar="LAKE")]


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command(name="status", short_help="Tables of a lake and what each stage did.")(_status)
    app.command(name="show")(_show)


def _status(
    lake: LakeArgument = "lake",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    traceback: TraceOption = False,
) -> None:
    """Show the tables of a lake and what each stage did, the newest run of each stage last."""
    from pipelines.lake import Catalog, Lake, Ledger

    place = Lake.at(lake)
    place.require()
    catalog = Catalog(place)
    tables = {name: catalog.info(name) for name in catalog.names()}
    runs = Ledger(place).records()
    if as_json:
        value = {
            "tables": {
                t.name: {"version": t.version, "rows": t.rows, "bytes": t.bytes} for t in tables.values()
            },
            "runs": [
                {field: getattr(run, field) for field in FIELDS}
                | {"started_at": run.started_at.isoformat(), "error": run.error}
                for run in runs
            ],
        }
        typer.echo(json.dumps(value, indent=2))
        return
    from pipelines.cli.tabulate import table

    typer.echo(
        table(
            ["table", "version", "rows", "bytes"],
            [[t.name, str(t.version), f"{t.rows:,}", f"{t.bytes:,}"] for t in tables.values()],
            right={1, 2, 3},
        )
    )
    header = ["run", "state", "in", "out", "rejected", "quarantined", "duplicate", "seconds", "started"]
    rows = [
        [
            r.stage,
            r.state,
            *(f"{getattr(r, field):,}" for field in COUNTS),
            f"{r.seconds:.1f}",
            f"{r.started_at:%Y-%m-%d %H:%M:%S}",
        ]
        for r in runs
    ]
    typer.echo(table(header, rows, right={2, 3, 4, 5, 6, 7}))
    failed = [run for run in runs if run.error]
    if failed and runs[-1].error:
        typer.echo(f"the last run failed: {failed[-1].error}")


def _show(
    lake: LakeArgument,
    table: Annotated[str, typer.Argument(help="Name of the table.", metavar="TABLE")],
    version: Annotated[
        int | None, typer.Option("--version", help="A version; default: the current one.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="SQL condition on the columns.", metavar="SQL")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Columns shown, parted by commas; default: all.", metavar="NAMES"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Most rows shown; 0 shows all.")] = 20,
    form: Annotated[
        str, typer.Option("--format", help="table (cut to the terminal) or jsonl (whole).")
    ] = "table",
    traceback: TraceOption = False,
) -> None:
    """Show rows of a table.

    Example: ringlake show lake rejected --where "rule = 'gopher.mean_word_length.max' AND value > 12"
    """
    from pipelines.lake.paths import Lake
    from pipelines.lake.query import query

    if form not in ("table", "jsonl"):
        raise typer.BadParameter(f"--format {form!r} is not known; it is table or jsonl")
    place = Lake.at(lake)
    place.require()
    wanted = None if columns is None else [name.strip() for name in columns.split(",")]
    names, rows = query(place, table, version, where, limit, wanted)
    if form == "jsonl":
        for row in rows:
            typer.echo(json_line(row))
        return
    from pipelines.cli.tabulate import fitted

    typer.echo(fitted(names, [[_cell(row[name]) for name in names] for row in rows]))
    if limit and len(rows) == limit:
        typer.echo(f"the first {limit} rows; --limit 0 shows all")


def json_line(row: dict[str, Any]) -> str:
    """A row as one line of JSON without control characters, so that no table can steer a terminal."""
    text = json.dumps(row, ensure_ascii=False, default=str)
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
