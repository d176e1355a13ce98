"""Runs of ringlake as DAGs of Airflow: a task a stage.

    from ringlake.airflow import ringlake_dag

    dag = ringlake_dag(
        "corpus",
        run_file="/data/run.yaml",
        lake="/data/lake",
        python="/opt/ringlake/bin/python",
        schedule="@daily",
    )

A task starts the command `ringlake STAGE` with a Python of its own, so that Airflow's environment needs this
package and none of its libraries. docs/airflow.md tells how to install it and what was tried. A name is
imported when it is first used, since only some of them need Airflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ringlake.airflow.dag import ringlake_dag
    from ringlake.airflow.operator import RinglakeStageOperator
    from ringlake.airflow.outcomes import RETRY_EXIT_CODES, Outcome, outcome_of

_PLACES = {
    "RETRY_EXIT_CODES": "outcomes",
    "Outcome": "outcomes",
    "RinglakeStageOperator": "operator",
    "outcome_of": "outcomes",
    "ringlake_dag": "dag",
}
"""Module of each public name."""

__all__ = ["RETRY_EXIT_CODES", "Outcome", "RinglakeStageOperator", "outcome_of", "ringlake_dag"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(
            f"module 'ringlake.airflow' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    value = getattr(import_module(f"ringlake.airflow.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
