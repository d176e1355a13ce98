"""What the pods have: the driver's, with or without a Job around it, and the template of the executors'."""

from __future__ import annotations

from typing import Any

from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.bundle.kubernetes.spark import (
    BLOCK_PORT,
    DISK,
    DRIVER_PORT,
    DRIVER_TEMPLATE,
    LOCAL,
    MASTER,
    PROGRAM,
    RUN_FOLDER,
    spark_conf,
    submission,
    words,
)

USER = 185
"""The user `spark` of Apache's image."""

POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
DRIVER_ROLE = {"ringlake/role": "driver"}


def executor_template(options: KubernetesOptions) -> dict[str, Any]:
    """The template of the executors' pods; Spark puts image, resources and volumes into it.

    A container of that name is the executor's. It has no token: executors do not talk to Kubernetes.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": options.labels()},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": POD_SECURITY,
            "containers": [{"name": "spark-executor", "securityContext": CONTAINER_SECURITY}],
        },
    }


def driver_template(options: KubernetesOptions) -> dict[str, Any]:
    """The template of the driver's pod in cluster mode: run file, disk, lake and secrets."""
    container = {
        "name": "spark-driver",
        "env": environment(options),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts(options),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": options.labels() | DRIVER_ROLE},
        "spec": {
            "securityContext": POD_SECURITY,
            "containers": [container],
            "volumes": volumes(options),
        },
    }


def driver_pod(options: KubernetesOptions) -> dict[str, Any]:
    """The pod of the Job: the driver itself in client mode, or what submits it in cluster mode.

    Where executors have GPUs, the stages before training run first in a container of their own, whose
    executors have none: as tasks they would be limited to one a card.
    """
    is_split = options.mode == "client" and options.num_gpus() > 0
    main = _container(options, "ringlake", gpus=options.num_gpus(), slots=options.slots_of_one(), until="")
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": options.name,
        "securityContext": POD_SECURITY,
        "containers": [main],
        "volumes": volumes(options),
    }
    if is_split:
        spec["initContainers"] = [_container(options, "etl", gpus=0, slots=0, until="pack")]
    return spec


def volumes(options: KubernetesOptions) -> list[dict[str, Any]]:
    """Volumes of the driver."""
    made: list[dict[str, Any]] = [
        {"name": "run", "configMap": {"name": f"{options.name}-run"}},
        {"name": DISK, "emptyDir": {"sizeLimit": options.shuffle_size}},
    ]
    if not options.lake:
        made.append({"name": "lake", "persistentVolumeClaim": {"claimName": f"{options.name}-lake"}})
    return made


def mounts(options: KubernetesOptions) -> list[dict[str, Any]]:
    """Where they are mounted."""
    made: list[dict[str, Any]] = [
        {"name": "run", "mountPath": RUN_FOLDER, "readOnly": True},
        {"name": DISK, "mountPath": LOCAL},
    ]
    return [*made, {"name": "lake", "mountPath": "/lake"}] if not options.lake else made


def _container(options: KubernetesOptions, name: str, *, gpus: int, slots: int, until: str) -> dict[str, Any]:
    conf = spark_conf(options, gpus=gpus, slots=slots) | submission(options)
    if options.mode == "client":
        conf |= {
            "spark.driver.host": f"{options.name}-driver.{options.namespace}.svc",
            "spark.driver.bindAddress": "0.0.0.0",  # noqa: S104 - the network policy says who gets in
            # Kubernetes puts the name in place: with the driver's pod its executors go too.
            "spark.kubernetes.driver.pod.name": "$(POD_NAME)",
        }
    else:
        conf |= _driver_of_its_own(options)
    arguments = ["--master", MASTER, "--deploy-mode", options.mode, "--driver-memory", options.driver_memory]
    for key, value in conf.items():
        arguments += ["--conf", f"{key}={value}"]
    return {
        "name": name,
        "image": options.image_name(),
        "command": ["/opt/spark/bin/spark-submit"],
        "args": [*arguments, PROGRAM, *words(options, until)],
        "env": environment(options),
        "ports": [
            {"name": "driver", "containerPort": DRIVER_PORT},
            {"name": "blocks", "containerPort": BLOCK_PORT},
        ],
        "resources": {
            "requests": {"cpu": "1", "memory": _with_overhead(options.driver_memory)},
            "limits": {"memory": _with_overhead(options.driver_memory)},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts(options),
    }


def _driver_of_its_own(options: KubernetesOptions) -> dict[str, str]:
    conf = {
        "spark.kubernetes.submission.waitAppCompletion": "true",
        "spark.kubernetes.driver.podTemplateFile": f"{RUN_FOLDER}/{DRIVER_TEMPLATE}",
        "spark.driver.memoryOverhead": "2g",
    }
    for key, value in (options.labels() | DRIVER_ROLE).items():
        conf[f"spark.kubernetes.driver.label.{key}"] = value
    return conf


def environment(options: KubernetesOptions) -> list[dict[str, Any]]:
    """Environment of the driver, secrets by reference."""
    made: list[dict[str, Any]] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    if options.mode == "client":
        # Where Spark makes the driver's pod it says so itself.
        made.append({"name": "SPARK_LOCAL_DIRS", "value": LOCAL})
    for variable, (name, key) in options.secrets().items():
        made.append({"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}})
    return made


def _with_overhead(heap: str) -> str:
    """Memory of the driver's container: its heap, and 2 GiB for the JVM and Python beside it."""
    mebibytes = int(heap[:-1]) * (1024 if heap.endswith("g") else 1)
    return f"{mebibytes + 2048}Mi"
