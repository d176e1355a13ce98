"""Report: drawn anew after any run that it tells of; the README of the model goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.bindings.model import has_own_model, latest_runs
from pipelines.bindings.model_readme import readme_of, write_readme
from pipelines.run.accounting import Tally
from pipelines.run.artefacts import files_identity
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from training.models.made import read_card


def _runs(context: Context) -> Besides[None]:
    return Besides(None, latest_runs(context))


def _report(given: Given[None]) -> Made:
    from pipelines.report.build import build_report

    context = given.context
    build_report(
        given.spark,
        context.lake,
        given.config,
        run_file=context.run_file,
        overrides=context.overrides,
    )
    write_readme(context)
    given.say(f"    report: {context.lake.report}")
    return Made(tally=Tally(0, 0))


def _left(context: Context, _details: Mapping[str, Any]) -> dict[str, str]:
    """Identity of the report, and of the README of a model that has one."""
    lake = context.lake
    files = [lake.report, *([readme_of(lake)] if has_own_model(context) and read_card(lake.model) else [])]
    return files_identity(lake, files)


BINDING = Binding(_report, _runs, _left)
