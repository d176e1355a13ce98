"""Builds `report.html`: collects the facts, draws the charts, renders the page, puts it in place at once."""

from __future__ import annotations

from markupsafe import Markup
from pyspark.sql import SparkSession

from conf import RunConfig
from pipelines.lake import Lake
from pipelines.report import charts, exchange_charts
from pipelines.report.collect import collect
from pipelines.report.facts import Facts
from pipelines.report.pages import page_environment
from pipelines.report.removed import MAX_QUARANTINE_ROWS
from pipelines.text import display

PACKAGE = "pipelines.report"
TEMPLATE = "template.html.jinja"


def build_report(
    spark: SparkSession, lake: Lake, config: RunConfig, run_file: str, overrides: tuple[str, ...]
) -> None:
    """Writes the report of a lake; a lake on which only some stages have run gets a shorter one.

    Args:
        spark: The session, with Delta.
        lake: The lake to tell of, and where `report.html` goes.
        config: The configuration of this call; section `report` says how much is shown.
        run_file: The run file as the user named it, for the command that makes the lake again.
        overrides: The overrides of this call, likewise.
    """
    page = render(collect(spark, lake, config, run_file, overrides), config.report.excerpt_chars)
    lake.report.replace(page)


def render(facts: Facts, excerpt_chars: int) -> str:
    """The page for the facts: one HTML document that needs nothing else."""
    environment = page_environment(PACKAGE)
    environment.filters |= {"excerpt": lambda value: display.visible(value, excerpt_chars)}
    environment.globals |= {"show_command": lambda *args: _show_command(facts.lake, *args)}
    page = environment.get_template(TEMPLATE)
    return page.render(facts=facts, charts=_charts(facts), max_quarantine_rows=MAX_QUARANTINE_ROWS)


def _charts(facts: Facts) -> dict[str, Markup]:
    drawn: dict[str, Markup] = {}
    if facts.lengths:
        drawn["lengths"] = charts.length_chart(facts.lengths)
    if facts.languages and facts.languages.shown:
        drawn["languages"] = charts.language_chart(facts.languages)
    training = facts.training
    if training and (training.loss or training.validation):
        drawn["loss"] = charts.loss_chart(training, facts.evaluation)
    if training and training.throughput:
        drawn["rate"] = charts.rate_chart(training)
    if training and training.waiting:
        drawn["waiting"] = charts.waiting_chart(training)
    if training and training.traffic and training.traffic.loss:
        drawn["bytes"] = exchange_charts.bytes_chart(training.traffic)
    if training and training.staleness:
        drawn["staleness"] = exchange_charts.staleness_chart(training.staleness)
    return drawn


def _show_command(lake: str, table: str, where: str | None = None) -> str:
    """The command that shows the rows of a table that the report leaves out."""
    words = ["ringlake", "show", lake, table, "--limit", "0"]
    if where is not None:
        words += ["--where", where]
    return display.shell(words)
