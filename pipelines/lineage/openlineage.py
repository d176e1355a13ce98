"""Events of OpenLineage for a run and each of its stages, made with the classes of openlineage-python.

A stage is a job `NAME.STAGE` in the namespace `ringlake`, its run has the run of the whole as its parent. A
table is a dataset: the namespace says where it lies, the name is its path, the version that of its Delta log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from conf.urls import without_secrets
from pipelines.lake import Catalog, Lake
from pipelines.lineage.columns import UNCHANGED
from pipelines.lineage.transport import Transport
from pipelines.run.story import RunStory, StageStory
from schemas import TABLES

NAMESPACE = "ringlake"
"""Namespace of jobs."""

PRODUCER = "https://pypi.org/project/ringlake"

_MAX_MESSAGE = 10_000
"""Characters of an error that an event has."""

_RUNS = {"succeeded": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT"}


class LineageWriter:
    """Sends an event when a run or a stage of it begins and ends; a stage that is up to date has none.

    Args:
        transport: Where they go.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def require(self) -> None:
        """EnvironmentProblem if events can go nowhere."""
        self._transport.require()

    def run_begins(self, run: RunStory) -> None:
        """START of the run."""
        self._transport.send(_event(run, "START", run.started_at))

    def stage_begins(self, run: RunStory, stage: StageStory) -> None:
        """START of a stage, with what it reads."""
        self._transport.send(_stage_event(run, stage, "START"))

    def stage_ends(self, run: RunStory, stage: StageStory) -> None:
        """COMPLETE, FAIL or ABORT of a stage."""
        if stage.state in _RUNS:
            self._transport.send(_stage_event(run, stage, _RUNS[stage.state]))

    def run_ends(self, run: RunStory) -> None:
        """COMPLETE, FAIL or ABORT of the run; returns when the events are gone or given up."""
        self._transport.send(_event(run, _RUNS[run.state], datetime.now(UTC)))
        self._transport.close()


def _event(run: RunStory, kind: str, time: datetime) -> str:
    from openlineage.client.event_v2 import Job, Run

    facets = _failure(run.error) if kind == "FAIL" else {}
    return _made(kind, time, Run(run.run_id, facets), Job(NAMESPACE, run.name, _type_of_job("RUN")), [], [])


def _stage_event(run: RunStory, stage: StageStory, kind: str) -> str:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run
    from openlineage.client.generated.output_statistics_output_dataset import (
        OutputStatisticsOutputDatasetFacet,
    )
    from openlineage.client.generated.parent_run import Job as ParentJob
    from openlineage.client.generated.parent_run import ParentRunFacet
    from openlineage.client.generated.parent_run import Run as ParentRun

    lake = Lake.at(run.lake)
    catalog = Catalog(lake)
    facets: dict[str, Any] = {
        "parent": ParentRunFacet(run=ParentRun(run.run_id), job=ParentJob(NAMESPACE, run.name))
    }
    facets |= _failure(stage.error) if kind == "FAIL" else {}
    inputs = [
        InputDataset(*_place(lake, name), facets=_facets(catalog, lake, name, version))
        for name, version in stage.reads.items()
    ]
    outputs = []
    for name, version in {} if stage.record is None else stage.record.outputs.items():
        info = catalog.info(name, version)
        counts = OutputStatisticsOutputDatasetFacet(rowCount=info.rows, size=info.bytes)
        lineage = _columns(lake, name, stage.reads)
        outputs.append(
            OutputDataset(
                *_place(lake, name),
                facets={**_facets(catalog, lake, name, version), **lineage},
                outputFacets={"outputStatistics": counts},
            )
        )
    # A name of its own for each stage of each run, which START and its end share.
    identity = str(uuid5(NAMESPACE_URL, f"{run.run_id}/{stage.name}"))
    job = Job(NAMESPACE, f"{run.name}.{stage.name}", _type_of_job("STAGE"))
    time = stage.started_at if kind == "START" else datetime.now(UTC)
    return _made(kind, time or datetime.now(UTC), Run(identity, facets), job, inputs, outputs)


def _made(
    kind: str, time: datetime, run: Any, job: Any, inputs: list[Any], outputs: list[Any]
) -> str:  # the classes are the library's
    from openlineage.client.event_v2 import RunEvent, RunState
    from openlineage.client.serde import Serde

    event = RunEvent(
        eventType=RunState[kind],
        eventTime=time.isoformat(),
        run=run,
        job=job,
        inputs=inputs,
        outputs=outputs,
        producer=PRODUCER,
    )
    return str(Serde.to_json(event))


def _type_of_job(kind: str) -> dict[str, Any]:
    from openlineage.client.generated.job_type_job import JobTypeJobFacet

    return {
        "jobType": JobTypeJobFacet(
            processingType="BATCH", integration="RINGLAKE", jobType=kind, producer=PRODUCER
        )
    }


def _failure(error: str | None) -> dict[str, Any]:
    from openlineage.client.generated.error_message_run import ErrorMessageRunFacet

    message = without_secrets(error or "")[:_MAX_MESSAGE]
    return {"errorMessage": ErrorMessageRunFacet(message=message, programmingLanguage="PYTHON")}


def _place(lake: Lake, table: str) -> tuple[str, str]:
    """Namespace and name of a dataset, as OpenLineage has those of files."""
    if lake.names is not None:
        return f"unity://{lake.names.catalog}", f"{lake.names}.{table}"
    where = without_secrets(lake.table(table))
    parts = urlsplit(where)
    if "://" not in where:
        return "file", where
    is_local = parts.scheme == "file"
    name = parts.path if is_local or parts.scheme == "hdfs" else parts.path.lstrip("/")
    return ("file" if is_local else f"{parts.scheme}://{parts.netloc}"), name


def _facets(catalog: Catalog, lake: Lake, name: str, version: int) -> dict[str, Any]:
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
    from openlineage.client.generated.datasource_dataset import DatasourceDatasetFacet
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacet

    return {
        "version": DatasetVersionDatasetFacet(str(version)),
        "dataSource": DatasourceDatasetFacet(name="ringlake", uri=without_secrets(lake.table(name))),
        "schema": SchemaDatasetFacet(fields=list(_fields(catalog, name, version))),
    }


def _fields(catalog: Catalog, name: str, version: int) -> Iterator[Any]:
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacetFields

    known = TABLES.get(name)
    meanings = {} if known is None else {column.name: column.meaning for column in known.columns}
    for column, kind in catalog.fields(name, version):
        # A type of Delta: a name for simple ones, JSON for nested ones.
        yield SchemaDatasetFacetFields(name=column, type=kind, description=meanings.get(column))


def _columns(lake: Lake, table: str, reads: Mapping[str, int]) -> dict[str, Any]:
    """Column lineage, as far as it is exact: columns whose values are those of a table that was read."""
    from openlineage.client.generated.column_lineage_dataset import (
        ColumnLineageDatasetFacet,
        Fields,
        InputField,
        Transformation,
    )

    same = [Transformation(type="DIRECT", subtype="IDENTITY")]
    fields = {
        column: Fields([InputField(*_place(lake, source), column, same)])
        for source, columns in UNCHANGED.get(table, {}).items()
        if source in reads
        for column in columns
    }
    return {"columnLineage": ColumnLineageDatasetFacet(fields)} if fields else {}
