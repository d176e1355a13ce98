"""Clusters of the job: one that grows and shrinks for the ETL, one of a fixed size for training.

Both have dedicated access, since no other mode gives a task SparkContext, barrier stages and the ML runtime.
"""

from __future__ import annotations

from typing import Any

from pipelines.bundle.databricks.nodes import CLOUDS
from pipelines.bundle.databricks.options import DatabricksOptions
from pipelines.spark_settings import SETTINGS

VOLUME = "/Volumes/${var.catalog}/${var.schema}/${var.volume}/ringlake"
"""Our folder in the volume, as the files of a bundle name it."""

INIT_SCRIPT = "init.sh"
WHEELS = "wheels"
DEDICATED = "SINGLE_USER"
ETL, TRAINING, BOTH = "etl", "training", "ringlake"

_SINGLE_NODE = {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"}


def job_clusters(options: DatabricksOptions) -> dict[str, dict[str, Any]]:
    """The clusters by key: that of the ETL and that of training, or one that serves both.

    One serves both where each is a single machine of one type without a GPU: a second start would take
    minutes for nothing.
    """
    etl, training = _etl(options), _training(options)
    single = options.max_workers == 0 and options.workers == 0 and not options.node().gpus
    if single and etl["node_type_id"] == training["node_type_id"]:
        return {BOTH: training}
    return {ETL: etl, TRAINING: training}


def _etl(options: DatabricksOptions) -> dict[str, Any]:
    cluster = _cluster(options, options.etl_type(), "cpu", stays=options.max_workers == 0)
    if options.max_workers == 0:
        return cluster | _alone(cluster)
    return cluster | {"autoscale": {"min_workers": options.min_workers, "max_workers": options.max_workers}}


def _training(options: DatabricksOptions) -> dict[str, Any]:
    node = options.node()
    cluster = _cluster(options, node.type, "gpu" if node.gpus else "cpu", stays=True)
    # A barrier stage starts all its tasks at once or none, which a changing set of executors never can.
    conf = cluster["spark_conf"] | {"spark.dynamicAllocation.enabled": "false"}
    conf["spark.task.cpus"] = str(node.cores // (node.gpus or options.ranks) or 1)
    if node.gpus and options.workers:
        conf["spark.task.resource.gpu.amount"] = "1"
    cluster["spark_conf"] = conf
    return cluster | (_alone(cluster) if options.workers == 0 else {"num_workers": options.workers})


def _alone(cluster: dict[str, Any]) -> dict[str, Any]:
    """What makes a cluster one machine, whose driver runs the tasks."""
    return {
        "num_workers": 0,
        "spark_conf": cluster["spark_conf"] | _SINGLE_NODE,
        "custom_tags": cluster["custom_tags"] | {"ResourceClass": "SingleNode"},
    }


def _cluster(options: DatabricksOptions, node_type: str, kind: str, *, stays: bool) -> dict[str, Any]:
    cloud = CLOUDS[options.cloud]
    availability: dict[str, Any] = {"availability": cloud.firm if stays else cloud.spot}
    if not stays and options.cloud != "gcp":
        # The driver of an ETL that may lose workers is no such machine.
        availability["first_on_demand"] = 1
    return {
        "spark_version": f"{options.runtime}.x-{kind}-ml-scala2.13",
        "node_type_id": node_type,
        "driver_node_type_id": node_type,
        "data_security_mode": DEDICATED,
        "runtime_engine": "STANDARD",
        cloud.attributes: availability,
        "spark_conf": dict(SETTINGS),
        "spark_env_vars": {"RINGLAKE_WHEELS": f"{VOLUME}/{WHEELS}"} | options.secrets(),
        "custom_tags": options.tags(),
        "init_scripts": [{"volumes": {"destination": f"{VOLUME}/{INIT_SCRIPT}"}}],
    }
