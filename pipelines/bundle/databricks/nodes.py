"""Machines of the three clouds: cores and GPUs by the name of their type, as the clouds publish them."""

from __future__ import annotations

from dataclasses import dataclass

from conf.errors import ConfigError


@dataclass(frozen=True)
class Cloud:
    """What a cloud has.

    Attributes:
        cpu: Machine without GPUs that is taken unless another is named.
        gpu: The same with a GPU.
        attributes: Key of a cluster's section of this cloud.
        spot: Its word for machines that may be taken away, with others in their place.
        firm: Its word for machines that stay.
    """

    cpu: str
    gpu: str
    attributes: str
    spot: str
    firm: str


CLOUDS = {
    "aws": Cloud("m5d.2xlarge", "g5.2xlarge", "aws_attributes", "SPOT_WITH_FALLBACK", "ON_DEMAND"),
    "azure": Cloud(
        "Standard_D8ds_v5",
        "Standard_NC24ads_A100_v4",
        "azure_attributes",
        "SPOT_WITH_FALLBACK_AZURE",
        "ON_DEMAND_AZURE",
    ),
    "gcp": Cloud(
        "n2-highmem-8", "g2-standard-8", "gcp_attributes", "PREEMPTIBLE_WITH_FALLBACK_GCP", "ON_DEMAND_GCP"
    ),
}

_CPU = {"m5d.2xlarge": 8, "Standard_D8ds_v5": 8, "n2-highmem-8": 8}
_AWS = {"xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "16xlarge": 64}
_GPU = {
    **{f"{kind}.{size}": (cores, 1) for kind in ("g4dn", "g5", "g6", "g6e") for size, cores in _AWS.items()},
    **{f"{kind}.12xlarge": (48, 4) for kind in ("g4dn", "g5", "g6", "g6e")},
    **{f"{kind}.24xlarge": (96, 4) for kind in ("g5", "g6", "g6e")},
    **{f"{kind}.48xlarge": (192, 8) for kind in ("g5", "g6", "g6e")},
    "p4d.24xlarge": (96, 8),
    "p4de.24xlarge": (96, 8),
    "p5.48xlarge": (192, 8),
    "Standard_NC4as_T4_v3": (4, 1),
    "Standard_NC8as_T4_v3": (8, 1),
    "Standard_NC16as_T4_v3": (16, 1),
    "Standard_NC64as_T4_v3": (64, 4),
    "Standard_NV36ads_A10_v5": (36, 1),
    "Standard_NV72ads_A10_v5": (72, 2),
    "Standard_NC24ads_A100_v4": (24, 1),
    "Standard_NC48ads_A100_v4": (48, 2),
    "Standard_NC96ads_A100_v4": (96, 4),
    "Standard_ND96asr_v4": (96, 8),
    "Standard_NC40ads_H100_v5": (40, 1),
    "Standard_NC80adis_H100_v5": (80, 2),
    "g2-standard-4": (4, 1),
    "g2-standard-8": (8, 1),
    "g2-standard-12": (12, 1),
    "g2-standard-16": (16, 1),
    "g2-standard-32": (32, 1),
    "g2-standard-24": (24, 2),
    "g2-standard-48": (48, 4),
    "g2-standard-96": (96, 8),
    "a2-highgpu-1g": (12, 1),
    "a2-highgpu-2g": (24, 2),
    "a2-highgpu-4g": (48, 4),
    "a2-highgpu-8g": (96, 8),
    "a3-highgpu-8g": (208, 8),
}


@dataclass(frozen=True)
class Node:
    """A type of machine.

    Attributes:
        type: Its name.
        cores: Its cores; 0: not known.
        gpus: Its GPUs.
    """

    type: str
    cores: int
    gpus: int


def known(node_type: str) -> Node | None:
    """A type whose cores and GPUs are known here; None: it is not."""
    if node_type in _GPU:
        return Node(node_type, *_GPU[node_type])
    return Node(node_type, _CPU[node_type], 0) if node_type in _CPU else None


def training_node(node_type: str, cores: int, gpus: int) -> Node:
    """The machine that trains.

    Args:
        node_type: Its type.
        cores: Its cores as the user says; 0: those that are known.
        gpus: Its GPUs as the user says; -1: those that are known.

    Raises:
        ConfigError: It is not known here and the user does not say what it has, or says otherwise.
    """
    found = known(node_type)
    if found is None:
        if cores < 1 or gpus < 0:
            raise ConfigError(
                f"--train-node-type {node_type} is not among the types whose cores and GPUs ringlake knows; "
                "say what a machine of it has: --cores N --gpus N"
            )
        return Node(node_type, cores, gpus)
    for name, said, has in (("--gpus", gpus, found.gpus), ("--cores", cores, found.cores)):
        if (said > 0 and said != has) or (name == "--gpus" and said == 0 and has):
            raise ConfigError(
                f"{name} is {said}, but a {node_type} has {has}; leave {name} out, or name another "
                "--train-node-type"
            )
    return found
