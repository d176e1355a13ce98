"""Spark's settings on Kubernetes, which the Job's spark-submit and the SparkApplication share."""

from __future__ import annotations

from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.spark_settings import SETTINGS

HOME = "/opt/ringlake"
"""Our folder in the image."""

PYTHON = f"{HOME}/environment/bin/python"
PROGRAM = f"local://{HOME}/main.py"
RUN_FOLDER = f"{HOME}/run"
"""Where the ConfigMap with the run file and the executors' template is mounted."""

RUN_FILE, TEMPLATE, DRIVER_TEMPLATE = "run.yaml", "executor.yaml", "driver.yaml"
MASTER = "k8s://https://kubernetes.default.svc"
DRIVER_PORT, BLOCK_PORT = 7078, 7079
DISK = "spark-local-dir-1"
"""Name of a volume that Spark takes for its local folder: it looks at how names begin."""

LOCAL = "/tmp/spark-local"  # noqa: S108 - a volume of its own in the pod
_DISK = "spark.kubernetes.executor.volumes"


def spark_conf(options: KubernetesOptions, *, gpus: int, slots: int) -> dict[str, str]:
    """Settings of a submission, but for what only its driver needs.

    Args:
        options: What was asked for.
        gpus: GPUs of an executor.
        slots: Ranks of an executor; 0: tasks take a core each.
    """
    cores = options.num_cores()
    conf = dict(SETTINGS) | {
        # A barrier stage starts all its tasks at once or none, which a changing set of executors never can.
        "spark.dynamicAllocation.enabled": "false",
        "spark.executor.instances": str(options.workers),
        "spark.executor.cores": str(cores),
        "spark.task.cpus": str(cores // slots if slots else 1),
        "spark.executor.memory": options.memory,
        "spark.executor.memoryOverhead": options.overhead,
        "spark.driver.port": str(DRIVER_PORT),
        "spark.driver.blockManager.port": str(BLOCK_PORT),
        "spark.pyspark.python": PYTHON,
        "spark.pyspark.driver.python": PYTHON,
        "spark.ui.enabled": "false",
    }
    if gpus:
        conf |= {
            "spark.executor.resource.gpu.amount": str(gpus),
            "spark.executor.resource.gpu.vendor": "nvidia.com",
            "spark.executor.resource.gpu.discoveryScript": f"{HOME}/gpus.sh",
            "spark.task.resource.gpu.amount": "1",
        }
    return conf | _volumes(options)


def _volumes(options: KubernetesOptions) -> dict[str, str]:
    """The disk for shuffles and the lake's."""
    if options.storage_class:
        disk = f"{_DISK}.persistentVolumeClaim.{DISK}"
        conf = {
            f"{disk}.options.claimName": "OnDemand",
            f"{disk}.options.storageClass": options.storage_class,
            f"{disk}.options.sizeLimit": options.shuffle_size,
        }
    else:
        disk = f"{_DISK}.emptyDir.{DISK}"
        conf = {f"{disk}.options.sizeLimit": options.shuffle_size}
    conf |= {f"{disk}.mount.path": LOCAL, f"{disk}.mount.readOnly": "false"}
    if not options.lake:
        lake = f"{_DISK}.persistentVolumeClaim.lake"
        conf |= {
            f"{lake}.options.claimName": f"{options.name}-lake",
            f"{lake}.mount.path": "/lake",
            f"{lake}.mount.readOnly": "false",
        }
    return conf


def submission(options: KubernetesOptions) -> dict[str, str]:
    """What spark-submit needs besides, that an operator adds itself: image, namespace, accounts, template."""
    conf = {
        "spark.kubernetes.container.image": options.image_name(),
        "spark.kubernetes.namespace": options.namespace,
        "spark.kubernetes.authenticate.driver.serviceAccountName": options.name,
        "spark.kubernetes.executor.podTemplateFile": f"{RUN_FOLDER}/{TEMPLATE}",
    }
    for key, value in options.labels().items():
        conf[f"spark.kubernetes.executor.label.{key}"] = value
    for variable, (name, key) in options.secrets().items():
        conf[f"spark.kubernetes.executor.secretKeyRef.{variable}"] = f"{name}:{key}"
    return conf


def words(options: KubernetesOptions, until: str = "") -> list[str]:
    """The command line of ringlake.

    Args:
        options: What was asked for.
        until: The last stage; empty: all of them.
    """
    made = ["run", f"{RUN_FOLDER}/{RUN_FILE}", "--set", f"lake={options.lake_place()}"]
    made += ["--set", f"train.num_ranks={options.num_ranks()}"]
    for text in options.set:
        made += ["--set", text]
    return [*made, "--until", until] if until else made
