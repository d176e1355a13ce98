"""The manifests by the name of their file: what a run needs, and the two ways to start it."""

from __future__ import annotations

from typing import Any

from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.bundle.kubernetes.pods import (
    CONTAINER_SECURITY,
    DRIVER_ROLE,
    POD_SECURITY,
    driver_pod,
    driver_template,
    executor_template,
    mounts,
    volumes,
)
from pipelines.bundle.kubernetes.spark import (
    BLOCK_PORT,
    DRIVER_PORT,
    DRIVER_TEMPLATE,
    PROGRAM,
    RUN_FILE,
    TEMPLATE,
    spark_conf,
    words,
)
from ringlake.base.trees import yaml_text

FOR_GOOD = (1, 2, 3, 6, 7)
"""Exit codes of ringlake after which another attempt would fail as well."""

JOB, APPLICATION = "job.yaml", "sparkapplication.yaml"
_VERBS = ["create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"]


def manifests(
    options: KubernetesOptions, run_text: str, spark_version: str
) -> dict[str, list[dict[str, Any]]]:
    """The documents of each file.

    Args:
        options: What was asked for.
        run_text: The run file.
        spark_version: Version of Spark in the image.
    """
    made = {
        "rbac.yaml": _accounts(options),
        "configmap.yaml": [_config_map(options, run_text)],
        "service.yaml": [_service(options)],
        "networkpolicy.yaml": [_network_policy(options)],
        JOB: [_job(options)],
        APPLICATION: [_application(options, spark_version)],
    }
    return made if options.lake else made | {"storage.yaml": [_claim(options)]}


def _of(options: KubernetesOptions, version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": options.namespace, "labels": options.labels()}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _accounts(options: KubernetesOptions) -> list[dict[str, Any]]:
    """The driver's account, which may make and remove what executors consist of, in its namespace alone."""
    name, group = options.name, "rbac.authorization.k8s.io"
    kinds = ["pods", "services", "configmaps", "persistentvolumeclaims"]
    rules = [{"apiGroups": [""], "resources": kinds, "verbs": _VERBS}]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": options.namespace}
    role = {"apiGroup": group, "kind": "Role", "name": name}
    return [
        _of(options, "v1", "ServiceAccount", name),
        _of(options, f"{group}/v1", "Role", name, rules=rules),
        _of(options, f"{group}/v1", "RoleBinding", name, subjects=[subject], roleRef=role),
    ]


def _config_map(options: KubernetesOptions, run_text: str) -> dict[str, Any]:
    data = {RUN_FILE: run_text, TEMPLATE: yaml_text(executor_template(options))}
    if options.mode == "cluster":
        data[DRIVER_TEMPLATE] = yaml_text(driver_template(options))
    return _of(options, "v1", "ConfigMap", f"{options.name}-run", data=data)


def _service(options: KubernetesOptions) -> dict[str, Any]:
    """A name for the driver, which executors and ranks call: without an address of its own."""
    ports = [
        {"name": "driver", "port": DRIVER_PORT, "targetPort": DRIVER_PORT},
        {"name": "blocks", "port": BLOCK_PORT, "targetPort": BLOCK_PORT},
    ]
    spec = {
        "clusterIP": "None",
        # Executors may call before the driver's pod counts as ready.
        "publishNotReadyAddresses": True,
        "selector": {"app.kubernetes.io/instance": options.name} | DRIVER_ROLE,
        "ports": ports,
    }
    return _of(options, "v1", "Service", f"{options.name}-driver", spec=spec)


def _network_policy(options: KubernetesOptions) -> dict[str, Any]:
    """Driver, executors and ranks listen on many ports; only pods of the same job reach any of them."""
    chosen = {
        "matchLabels": {"app.kubernetes.io/instance": options.name, "app.kubernetes.io/name": "ringlake"}
    }
    spec = {
        "podSelector": chosen,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": chosen}]}],
    }
    return _of(options, "networking.k8s.io/v1", "NetworkPolicy", options.name, spec=spec)


def _claim(options: KubernetesOptions) -> dict[str, Any]:
    spec: dict[str, Any] = {
        # Every pod reads and writes tables and checkpoints.
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": options.lake_size}},
    }
    if options.storage_class:
        spec["storageClassName"] = options.storage_class
    return _of(options, "v1", "PersistentVolumeClaim", f"{options.name}-lake", spec=spec)


def _job(options: KubernetesOptions) -> dict[str, Any]:
    """A Job that counts no attempt against a pod that the cluster took away, and then ends for good.

    In cluster mode spark-submit gives 1 for any failure, so that code is tried again there.
    """
    final = [code for code in FOR_GOOD if code != 1 or options.mode == "client"]
    rules = [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": final}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
    labels = options.labels() | (DRIVER_ROLE if options.mode == "client" else {})
    spec = {
        "backoffLimit": options.retries,
        # Two drivers at once would want one lake.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": rules},
        "template": {"metadata": {"labels": labels}, "spec": driver_pod(options)},
    }
    return _of(options, "batch/v1", "Job", options.name, spec=spec)


def _application(options: KubernetesOptions, spark_version: str) -> dict[str, Any]:
    """The same for the operator, which makes the driver's pod and knows nothing of exit codes."""
    conf = spark_conf(options, gpus=options.num_gpus(), slots=options.slots_of_one())
    # The operator sets these from fields of its own.
    for key in ("executor.instances", "executor.cores", "executor.memory", "executor.memoryOverhead"):
        del conf[f"spark.{key}"]
    secrets = {variable: {"name": name, "key": key} for variable, (name, key) in options.secrets().items()}
    both: dict[str, Any] = {
        "labels": options.labels(),
        "podSecurityContext": POD_SECURITY,
        "securityContext": CONTAINER_SECURITY,
    } | ({"envSecretKeyRefs": secrets} if secrets else {})
    driver = both | {
        "cores": 1,
        "memory": options.driver_memory,
        "memoryOverhead": "2g",
        "serviceAccount": options.name,
        "labels": options.labels() | DRIVER_ROLE,
        "volumeMounts": mounts(options),
    }
    executor = both | {
        "instances": options.workers,
        "cores": options.num_cores(),
        "memory": options.memory,
        "memoryOverhead": options.overhead,
    }
    spec = {
        "type": "Python",
        "mode": "cluster",
        "pythonVersion": "3",
        "sparkVersion": spark_version,
        "image": options.image_name(),
        "imagePullPolicy": "IfNotPresent",
        "mainApplicationFile": PROGRAM,
        "arguments": words(options),
        "sparkConf": conf,
        "restartPolicy": {"type": "Never"},
        "volumes": volumes(options),
        "driver": driver,
        "executor": executor,
    }
    version = "sparkoperator.k8s.io/v1beta2"
    return _of(options, version, "SparkApplication", f"{options.name}-app", spec=spec)
