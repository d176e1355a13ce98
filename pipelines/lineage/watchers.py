"""The writers that a command was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from pipelines.errors import EnvironmentProblem
from pipelines.lineage.place import Place
from pipelines.lineage.prometheus import PrometheusWriter
from pipelines.lineage.summary import SummaryWriter
from pipelines.run.story import Watcher


@dataclass(frozen=True)
class Told:
    """What is written of a run, and where to; None: not at all.

    Attributes:
        summary: File of the summary.
        openlineage: File or http(s) URL of the events of OpenLineage.
        prometheus: File of the figures for Prometheus.
    """

    summary: str | None = None
    openlineage: str | None = None
    prometheus: str | None = None

    def watchers(self, say: Callable[[str], None]) -> list[Watcher]:
        """The writers; EnvironmentProblem if one lacks its library."""
        found: list[Watcher] = []
        if self.summary is not None:
            found.append(SummaryWriter(Place("--summary", self.summary)))
        if self.prometheus is not None:
            found.append(PrometheusWriter(Place("--prometheus", self.prometheus)))
        if self.openlineage is not None:
            if not _is_there("openlineage.client"):
                raise EnvironmentProblem(
                    "--openlineage needs openlineage-python, which is not installed: "
                    "pip install 'ringlake[lineage]'"
                )
            from pipelines.lineage.openlineage import LineageWriter
            from pipelines.lineage.transport import transport_to

            found.append(LineageWriter(transport_to(self.openlineage, say)))
        return found


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
