"""Report: drawn anew after any run that it tells of."""

from __future__ import annotations

from pipelines.bindings.model import latest_runs, leaves
from pipelines.run.accounting import Tally
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context


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
    given.say(f"    report: {context.lake.report}")
    return Made(tally=Tally(0, 0))


BINDING = Binding(_report, _runs, leaves(lambda lake: [lake.report]))
