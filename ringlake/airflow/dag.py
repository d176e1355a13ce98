"""A DAG of one task for each stage of a run file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import DAG

import ringlake  # noqa: F401 - it claims the names of the packages
from ringlake.airflow.assets import is_template
from ringlake.airflow.operator import RinglakeStageOperator


def ringlake_dag(
    dag_id: str,
    *,
    run_file: str,
    lake: str,
    python: str,
    stages: Sequence[str] | None = None,
    until: str | None = None,
    inputs: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    operator_args: Mapping[str, Any] | None = None,
    stage_args: Mapping[str, Mapping[str, Any]] | None = None,
    **dag_args: Any,
) -> DAG:
    """A DAG whose tasks are the stages of a run file, one after the other, as they hold the lake in turn.

    Args:
        dag_id: Name of the DAG.
        run_file: The run file; a path that the workers have, or `conf/...` of the package.
        lake: Absolute path or URL of the lake; may be a template, for example a lake a day.
        python: A Python that has ringlake, on the workers.
        stages: The stages; None: those that the run file has, which is read when the DAG is parsed.
        until: The last stage.
        inputs: What `ingest` reads, in place of the run file's; may be templates, for example of the data
            interval.
        settings: Values by key of the configuration, over those of the run file; texts may be templates.
        operator_args: What all tasks have: `submit`, `env`, `secrets`, `retries`, `retry_delay`, ...
        stage_args: What the task of one stage has besides, by its name: `pool`, `execution_timeout`, ...
        dag_args: What a DAG takes: `schedule`, `start_date`, `default_args`, ... One run is active at a time
            unless `max_active_runs` says otherwise.

    Returns:
        The DAG, whose task ids are the names of the stages.

    Raises:
        ValueError: A stage is named that is not among them, or their order is not ringlake's.
        ConfigError: The run file cannot be read.
    """
    settings = {**(settings or {}), **({} if inputs is None else {"ingest.inputs": list(inputs)})}
    chosen = _stages(run_file, settings) if stages is None else _in_order(stages)
    if until is not None:
        _check_named([until], chosen, "until")
        chosen = chosen[: chosen.index(until) + 1]
    _check_named(stage_args or {}, chosen, "stage_args")
    dag = DAG(dag_id, **{"max_active_runs": 1, **dag_args})
    previous = None
    for stage in chosen:
        task = RinglakeStageOperator(
            **{
                "task_id": stage,
                "dag": dag,
                "stage": stage,
                "lake": lake,
                "run_file": run_file,
                "python": python,
                "settings": settings,
                **(operator_args or {}),
                **(stage_args or {}).get(stage, {}),
            }
        )
        if previous is not None:
            previous >> task
        previous = task
    return dag


def _stages(run_file: str, settings: Mapping[str, Any]) -> list[str]:
    """The stages that a whole run of the file has; what is a template decides nothing of that."""
    from conf.reading import override
    from pipelines.added import every_stage
    from pipelines.settings import load

    known = {key: override(key, value) for key, value in settings.items()}
    config = load(run_file, [text for text in known.values() if not is_template(text)])
    return [stage.name for stage in every_stage() if stage.is_enabled(config)]


def _in_order(stages: Sequence[str]) -> list[str]:
    from pipelines.stages import BY_NAME

    own = [stage for stage in stages if stage in BY_NAME]
    wanted = [name for name in BY_NAME if name in own]
    if own != wanted:
        raise ValueError(
            f"stages are {', '.join(stages)}; ringlake's follow each other as {', '.join(wanted)}"
        )
    return list(stages)


def _check_named(names: Any, stages: Sequence[str], argument: str) -> None:
    if unknown := [name for name in names if name not in stages]:
        raise ValueError(
            f"{argument} names {', '.join(map(repr, unknown))}, which are no stages of this DAG; it has "
            f"{', '.join(stages)}"
        )
