"""What must hold of the manifests and what no schema says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conf.errors import ConfigError
from pipelines.bundle.kubernetes.manifests import APPLICATION, JOB
from pipelines.bundle.options import is_secret

MAX_CONFIG_MAP = 1_000_000
"""Bytes of a ConfigMap, of which Kubernetes takes a mebibyte at most."""

_PINNED = re.compile(r".+(:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})")
_RANKS = "train.num_ranks="


def check(files: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Raises ConfigError with all that is wrong, a sentence each, unless every rule holds."""
    found = [
        f"{name}: {text}" for name, documents in files.items() for one in documents for text in _one(one)
    ]
    kinds = {one["kind"] for documents in files.values() for one in documents}
    if "NetworkPolicy" not in kinds:
        found.append(
            "there is no NetworkPolicy: whoever is in the cluster could call driver and ranks; write one"
        )
    for container in _containers(files[JOB][0]):
        found += [f"{JOB}: container {container['name']}: {text}" for text in _submission(container)]
    spec = files[APPLICATION][0]["spec"]
    conf = dict(spec["sparkConf"]) | {
        "spark.executor.instances": str(spec["executor"]["instances"]),
        "spark.executor.cores": str(spec["executor"]["cores"]),
    }
    if "dynamicAllocation" in spec:
        found.append(
            f"{APPLICATION}: dynamicAllocation is there, but a barrier stage needs a fixed set; remove it"
        )
    found += [f"{APPLICATION}: {text}" for text in _barrier(conf, spec["arguments"])]
    if found:
        raise ConfigError("; ".join(dict.fromkeys(found)))


def _one(document: Mapping[str, Any]) -> Iterator[str]:
    for key, value in _leaves(document):
        name = key.rpartition("/")[2]
        if name == "image" and not _PINNED.fullmatch(value):
            yield f"image {value!r} has no tag, or latest; name a tag or a digest"
    if document["kind"] == "ConfigMap":
        size = sum(len(text.encode()) for text in document["data"].values())
        if size > MAX_CONFIG_MAP:
            yield f"the ConfigMap has {size} bytes, more than {MAX_CONFIG_MAP}; shorten the run file"
    for container in _containers(document):
        for variable in container.get("env", ()):
            if is_secret(variable["name"]) and "value" in variable:
                yield f"{variable['name']} has a secret in plain text; use valueFrom.secretKeyRef"


def _containers(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = document.get("spec", {}).get("template", {}).get("spec", {})
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def _submission(container: Mapping[str, Any]) -> Iterator[str]:
    arguments = container["args"]
    pairs = [arguments[i + 1].partition("=") for i, word in enumerate(arguments[:-1]) if word == "--conf"]
    conf = {key: value for key, _, value in pairs}
    for key in conf:
        if is_secret(key) and ".secretKeyRef." not in key:
            yield f"{key} has a secret in the command line; use --secret VARIABLE=SECRET/KEY"
    # A submission that ends before training needs no slots for ranks.
    yield from _barrier(conf, () if "--until" in arguments else arguments)


def _barrier(conf: Mapping[str, str], arguments: Sequence[str]) -> Iterator[str]:
    """A barrier stage starts all its tasks at once: on a fixed set of executors with a slot for each."""
    if conf.get("spark.dynamicAllocation.enabled") != "false":
        yield "it does not say spark.dynamicAllocation.enabled=false, which a barrier stage needs"
    slots = int(conf["spark.executor.cores"]) // int(conf.get("spark.task.cpus", "1"))
    if "spark.executor.resource.gpu.amount" in conf:
        if conf.get("spark.task.resource.gpu.amount") != "1":
            yield "spark.task.resource.gpu.amount must be 1: a rank has a card of its own"
        if not conf.get("spark.executor.resource.gpu.discoveryScript"):
            yield "executors with GPUs need spark.executor.resource.gpu.discoveryScript"
        slots = min(slots, int(conf["spark.executor.resource.gpu.amount"]))
    slots *= int(conf["spark.executor.instances"])
    ranks = [int(word.removeprefix(_RANKS)) for word in arguments if word.startswith(_RANKS)]
    if ranks and ranks[-1] > slots:
        yield f"train.num_ranks is {ranks[-1]}, but the executors have {slots} slots; raise --workers"


def _leaves(tree: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        for name, item in tree.items():
            yield from _leaves(item, f"{key}/{name}")
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from _leaves(item, key)
    else:
        yield key, tree
