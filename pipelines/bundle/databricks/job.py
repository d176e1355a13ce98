"""The job: a task a stage, in their order, and the bundle around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.bundle.databricks.clusters import BOTH, ETL, TRAINING, VOLUME, job_clusters
from pipelines.bundle.databricks.options import DatabricksOptions

PROGRAM = "../src/task.py"
"""What a task runs, as seen from the job's file."""

JOB_FILE = "resources/ringlake.job.yml"
RUN_FILE = "run.yaml"
TRAIN = "train"
WAIT_MILLISECONDS = 5 * 60 * 1000
"""Before another attempt: what has gone may come back, as a lake that somebody else holds."""

_ATTEMPT = "{{job.id}}-{{job.run_id}}-{{job.repair_count}}"


def job(options: DatabricksOptions, stages: Sequence[str]) -> dict[str, Any]:
    """The job as the file `resources/ringlake.job.yml` has it.

    Args:
        options: What it was asked for.
        stages: Names of the stages, in their order.
    """
    clusters = job_clusters(options)
    first_of_training = stages.index(TRAIN) if TRAIN in stages else len(stages)
    tasks = [
        _task(
            options, stage, stages[index - 1] if index else None, _key(clusters, index >= first_of_training)
        )
        for index, stage in enumerate(stages)
    ]
    used = {task["job_cluster_key"] for task in tasks}
    made: dict[str, Any] = {
        "name": options.name,
        "description": "Raw text to a trained model: the stages of ringlake.",
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "timeout_seconds": options.timeout_hours * 3600 * len(stages),
        "tags": options.tags(),
        "parameters": [
            {"name": "run_file", "default": "${var.run_file}"},
            {"name": "lake", "default": "${var.lake}"},
        ],
        "job_clusters": [
            {"job_cluster_key": key, "new_cluster": cluster}
            for key, cluster in clusters.items()
            if key in used
        ],
        "tasks": tasks,
    }
    if options.schedule:
        made["schedule"] = {
            "quartz_cron_expression": options.schedule,
            "timezone_id": options.timezone,
            "pause_status": "${var.pause_status}",
        }
    if options.notify:
        addresses = list(options.notify)
        made["email_notifications"] = {
            "on_failure": addresses,
            "on_duration_warning_threshold_exceeded": addresses,
        }
        made["notification_settings"] = {"no_alert_for_skipped_runs": True}
        # Said before the job is ended for its time.
        rule = {"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": options.timeout_hours * 3600}
        made["health"] = {"rules": [rule]}
    return {"resources": {"jobs": {"ringlake": made}}}


def bundle(options: DatabricksOptions) -> dict[str, Any]:
    """The bundle as the file `databricks.yml` has it."""
    lake: dict[str, Any] = {"description": "unity://CATALOG.SCHEMA/Volumes/..., or an external location."}
    if options.lake:
        lake["default"] = options.lake
    return {
        "bundle": {"name": options.name},
        "include": [JOB_FILE],
        # What the volume holds is copied there once, and is no file of the workspace.
        "sync": {"exclude": ["volume/**"]},
        "variables": {
            "catalog": {"description": "Catalog of the volume.", "default": options.catalog},
            "schema": {"description": "Schema of the volume.", "default": options.schema},
            "volume": {"description": "Volume of wheels and init script.", "default": options.volume},
            "lake": lake,
            "run_file": {
                "description": "Run file that the driver can read.",
                "default": "${workspace.file_path}/" + RUN_FILE,
            },
            "pause_status": {"description": "PAUSED or UNPAUSED: the schedule.", "default": "PAUSED"},
        },
        "targets": {
            "dev": {"mode": "development", "default": True, "variables": {"pause_status": "PAUSED"}},
            "prod": {
                "mode": "production",
                "workspace": {"root_path": "/Workspace/Shared/.bundle/${bundle.name}/${bundle.target}"},
                "variables": {"pause_status": "UNPAUSED"},
            },
        },
    }


def _key(clusters: dict[str, Any], is_training: bool) -> str:
    if BOTH in clusters:
        return BOTH
    return TRAINING if is_training else ETL


def _task(options: DatabricksOptions, stage: str, previous: str | None, cluster: str) -> dict[str, Any]:
    words = [stage, "--lake", "{{job.parameters.lake}}", "--run", "{{job.parameters.run_file}}"]
    if stage == TRAIN:
        words += ["--set", f"train.num_ranks={options.num_ranks()}"]
    for text in options.set:
        words += ["--set", text]
    mark = f"{VOLUME}/attempts/{_ATTEMPT}-{stage}.json"
    task: dict[str, Any] = {
        "task_key": stage,
        "job_cluster_key": cluster,
        "spark_python_task": {"python_file": PROGRAM, "parameters": [mark, *words]},
        "max_retries": options.retries,
        "min_retry_interval_millis": WAIT_MILLISECONDS,
        "retry_on_timeout": False,
        "timeout_seconds": options.timeout_hours * 3600,
    }
    if previous is not None:
        task["depends_on"] = [{"task_key": previous}]
    return task
