"""What must hold of a bundle and what `databricks-bundles` and the workspace do not see, or see too late.

The rules look at the files as they will be written, once for each target, its variables in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from conf.errors import ConfigError
from pipelines.bundle.databricks.job import TRAIN
from pipelines.bundle.databricks.nodes import known
from pipelines.bundle.databricks.options import EXAMPLE, LAKE_SCHEMES, SCOPE_AND_KEY, fault_of_names
from pipelines.bundle.options import is_secret
from ringlake.base.named import SCHEME

TOP_LEVEL = frozenset({"bundle", "include", "resources", "sync", "targets", "variables", "workspace"})
SPARK_RUNTIME = "18"
"""The line of runtimes with Spark 4.1: 18 LTS and 18.N."""

DEDICATED_MODES = ("SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED")
MAX_RETRIES = 10

_RUNTIME = re.compile(r"(\d+)(?:\.\d+)?\.x-(cpu|gpu)-ml-scala2\.13")
_VARIABLE = re.compile(r"\$\{([A-Za-z_.]+)\}")
_REFERENCE = re.compile(r"\{\{secrets/" + SCOPE_AND_KEY + r"\}\}")
_IN_VOLUME = re.compile(r"/Volumes/[^/${}]+/[^/${}]+/[^/${}]+/.+")
_PLACE = "/Volumes/CATALOG/SCHEMA/VOLUME/..."
_WORKSPACE = {"workspace.file_path": "/Workspace/files", "bundle.name": "bundle"}
"""Stand-ins for what the workspace puts in place."""


def check(bundle: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
    """Raises ConfigError with all that is wrong, a sentence each, unless every rule holds in every target.

    Args:
        bundle: What `databricks.yml` has.
        resources: What the job's file has.
    """
    found = [f"databricks.yml has {key!r}, which is no part of a bundle" for key in set(bundle) - TOP_LEVEL]
    for target, changes in bundle["targets"].items():
        values = dict(_WORKSPACE) | {"bundle.target": target}
        for name, variable in bundle["variables"].items():
            value = changes.get("variables", {}).get(name, variable.get("default"))
            if value is not None:
                values[f"var.{name}"] = value
        for key, job in resources["resources"]["jobs"].items():
            place = f"{target}: job {key}"
            found += [f"{place}: {text}" for text in _job(_filled(job, values), changes.get("mode", ""))]
    if found:
        raise ConfigError("; ".join(dict.fromkeys(found)))


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """A tree with the variables in place; one without a value stays."""
    if isinstance(value, str):
        previous = ""
        while value != previous:
            previous, value = value, _VARIABLE.sub(lambda m: str(values.get(m[1], m[0])), value)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(item, values) for key, item in value.items()}
    return [_filled(item, values) for item in value] if isinstance(value, list) else value


def _job(job: Mapping[str, Any], mode: str) -> Iterator[str]:
    if job.get("max_concurrent_runs") != 1:
        number = job.get("max_concurrent_runs")
        yield f"max_concurrent_runs is {number}, but two runs cannot write to one lake; set 1"
    schedule = job.get("schedule", {})
    if mode == "development" and schedule.get("pause_status", "PAUSED") != "PAUSED":
        yield "its schedule runs in a target for development; set pause_status to PAUSED there"
    for parameter in job.get("parameters", ()):
        yield from _parameter(parameter)
    clusters = {item["job_cluster_key"]: item.get("new_cluster", {}) for item in job["job_clusters"]}
    for key, cluster in clusters.items():
        for text in _cluster(cluster):
            yield f"cluster {key}: {text}"
    for task in job["tasks"]:
        for text in _task(task, clusters):
            yield f"task {task['task_key']}: {text}"


def _parameter(parameter: Mapping[str, Any]) -> Iterator[str]:
    name, value = parameter["name"], str(parameter["default"])
    if name == "lake" and value.startswith(SCHEME):
        if fault := fault_of_names(value):
            yield f"the lake is {value!r}: {fault}"
    elif name == "lake" and value != "${var.lake}" and value.partition("://")[0] not in LAKE_SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in LAKE_SCHEMES)
        yield (
            f"the lake is {value!r}, but tables lie in a schema or an external location; name {EXAMPLE}, or "
            f"one of these: {schemes}"
        )
    if is_secret(name) and not _REFERENCE.fullmatch(value):
        yield f"parameter {name} has a secret in plain text; use a secret scope in spark_env_vars"


def _cluster(cluster: Mapping[str, Any]) -> Iterator[str]:
    access = cluster.get("data_security_mode")
    if access not in DEDICATED_MODES:
        yield (
            f"data_security_mode is {access}: only dedicated access gives SparkContext and barrier stages; "
            f"set {DEDICATED_MODES[0]}"
        )
    yield from _runtime(cluster)
    scale = cluster.get("autoscale")
    if scale is not None and not 1 <= scale["min_workers"] <= scale["max_workers"]:
        yield (
            f"autoscale is from {scale['min_workers']} to {scale['max_workers']} workers; "
            "set 1 <= min_workers <= max_workers"
        )
    if (scale is None) == ("num_workers" not in cluster):
        yield "it has neither or both of autoscale and num_workers; set one"
    for script in cluster.get("init_scripts", ()):
        place = script.get("volumes", {}).get("destination", "")
        if not _IN_VOLUME.fullmatch(place):
            yield f"its init script is {place or script!r}; it has to lie in {_PLACE}"
    for section in ("spark_env_vars", "spark_conf"):
        for key, value in cluster.get(section, {}).items():
            if is_secret(key) and not _REFERENCE.fullmatch(str(value)):
                yield f"{section} has {key} in plain text; write {{{{secrets/SCOPE/KEY}}}}"


def _runtime(cluster: Mapping[str, Any]) -> Iterator[str]:
    version, node_type = str(cluster.get("spark_version", "")), cluster.get("node_type_id", "")
    found = _RUNTIME.fullmatch(version)
    if not node_type:
        yield "it has no node_type_id; name a type of machine"
    if not found:
        yield f"spark_version {version!r} is no ML runtime; for example {SPARK_RUNTIME}.x-cpu-ml-scala2.13"
        return
    if found[1] != SPARK_RUNTIME:
        yield f"spark_version {version} has not Spark 4.1, which ringlake needs; take {SPARK_RUNTIME}.x"
    node = known(node_type)
    if node is not None and bool(node.gpus) != (found[2] == "gpu"):
        wanted = "gpu" if node.gpus else "cpu"
        yield f"a {node_type} has {node.gpus} GPUs, spark_version is {version}; take {wanted}-ml"


def _task(task: Mapping[str, Any], clusters: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    cluster = clusters.get(task.get("job_cluster_key", ""))
    if cluster is None:
        yield "it runs on no cluster of this job; set job_cluster_key (serverless has no barrier stages)"
        return
    if not 0 <= task.get("max_retries", 0) <= MAX_RETRIES:
        yield f"max_retries is {task['max_retries']}; set 0 to {MAX_RETRIES} (-1 would never end)"
    if task.get("timeout_seconds", 0) <= 0:
        yield "it has no timeout_seconds, so that a cluster could run for ever; set one"
    for library in task.get("libraries", ()):
        yield f"library {library!r} is fetched when the cluster starts; put its wheel into the volume"
    words = [str(word) for word in task["spark_python_task"]["parameters"]]
    if not _IN_VOLUME.fullmatch(words[0]):
        yield f"the mark of its attempts is {words[0]!r}; it has to lie in {_PLACE}"
    if task["task_key"] == TRAIN:
        yield from _training(cluster, words)


def _training(cluster: Mapping[str, Any], words: list[str]) -> Iterator[str]:
    """A barrier stage starts all its tasks at once: on a fixed number of machines with a slot for each."""
    conf, version = cluster.get("spark_conf", {}), str(cluster.get("spark_version", ""))
    if "autoscale" in cluster:
        scale = cluster["autoscale"]
        yield f"its cluster autoscales ({scale}), but a barrier stage needs a fixed size; set num_workers"
        return
    if str(conf.get("spark.dynamicAllocation.enabled", "")).lower() != "false":
        yield "its cluster does not say spark.dynamicAllocation.enabled: false, which a barrier stage needs"
    node, workers = known(str(cluster.get("node_type_id"))), int(cluster.get("num_workers", 0))
    has_gpus = "-gpu-" in version
    if has_gpus and workers and conf.get("spark.task.resource.gpu.amount") != "1":
        yield "spark.task.resource.gpu.amount must be 1: a rank has a card of its own"
    ranks = [int(word.partition("=")[2]) for word in words if word.startswith("train.num_ranks=")]
    if node is None or not ranks:
        return
    slots = node.cores // int(conf.get("spark.task.cpus", "1"))
    slots = max(1, workers) * (min(slots, node.gpus) if has_gpus else slots)
    if ranks[-1] > slots:
        yield (
            f"train.num_ranks is {ranks[-1]}, but {max(1, workers)} machines of type {node.type} have "
            f"{slots} task slots; lower it, or take more workers"
        )
