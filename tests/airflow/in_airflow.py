"""Runs DAGs by `dag.test()` in Airflow's environment and prints what became of each as a line of JSON.

in_airflow.py DAG_ID=DATE...
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select


def main(runs: list[str]) -> None:
    bag = DagBag()
    assert not bag.import_errors, bag.import_errors
    for name, _, date in (run.partition("=") for run in runs):
        run = bag.dags[name].test(logical_date=datetime.fromisoformat(date).replace(tzinfo=UTC))
        print("RESULT " + json.dumps(told(run)), flush=True)


def told(run: Any) -> dict[str, Any]:
    with create_session() as session:
        tasks = {
            task.task_id: {"state": str(task.state), "tries": task.try_number}
            for task in run.get_task_instances(session=session)
        }
        values = session.scalars(select(XComModel).where(XComModel.run_id == run.run_id))
        returned = {
            value.task_id: XComModel.deserialize_value(value)
            for value in values
            if value.key == "return_value"
        }
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id))
        assets = {event.asset.uri: event.extra for event in events}
    return {"state": str(run.state), "tasks": tasks, "returned": returned, "assets": assets}


if __name__ == "__main__":
    main(sys.argv[1:])
