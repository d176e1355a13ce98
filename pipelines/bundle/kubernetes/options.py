"""What a bundle for Kubernetes is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from conf.errors import ConfigError
from pipelines.bundle.options import Options, matches, option, pairs, shown, within
from ringlake.base.code import release

LABEL_NAME = r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?"
"""Of a name to which Kubernetes and Spark add words, within the 63 characters of a label (RFC 1123)."""

_DNS_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_IMAGE = r"[a-z0-9][a-z0-9._/:-]{0,199}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
_SIZE = r"[1-9]\d{0,5}(Mi|Gi|Ti)"
_MEMORY = r"[1-9]\d{0,5}[mg]"
_NAME_AND_KEY = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9._-]{1,253}"
MODES = ("client", "cluster")


@dataclass(frozen=True, kw_only=True)
class KubernetesOptions(Options):
    """What a bundle for Kubernetes is asked for.

    Raises:
        ConfigError: A value is not allowed; the message names the option, the value and the remedy.
    """

    namespace: str = option("default", "Namespace of all that is made.", "NAME")
    image: str = option("", "Image of driver and executors; empty: ringlake:RELEASE.", "IMAGE")
    base_image: str = option(
        "", "Image of Spark that ours builds on; empty: Apache's of this PySpark.", "IMAGE"
    )
    mode: str = option(
        "client", "Where the driver runs: in the Job's pod, or cluster: in one of its own.", "MODE"
    )
    memory: str = option("4g", "Heap of an executor.", "SIZE")
    overhead: str = option("4g", "Its memory beside the heap: Python workers and ranks.", "SIZE")
    driver_memory: str = option("2g", "Heap of the driver.", "SIZE")
    lake_size: str = option(
        "100Gi", "Size of the volume of the lake; none is made where --lake is a URL.", "SIZE"
    )
    shuffle_size: str = option("50Gi", "Disk of each executor for shuffles.", "SIZE")
    storage_class: str = option(
        "",
        "Class of the volumes; empty: shuffles lie on the node's disk, the lake in the default class.",
        "NAME",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = "lower case letters, digits and -, a letter first, 40 at most"
        matches("--name", self.name, LABEL_NAME, rule, "ringlake")
        matches("--namespace", self.namespace, LABEL_NAME, rule, "ringlake")
        within("--workers", self.workers, 1, 1000)
        for name in ("image", "base_image"):
            if value := getattr(self, name):
                _check_image(f"--{name.replace('_', '-')}", value)
        if self.mode not in MODES:
            raise ConfigError(f"--mode is {shown(self.mode)}, but takes {' or '.join(MODES)}")
        for name in ("memory", "overhead", "driver_memory"):
            matches(f"--{name.replace('_', '-')}", getattr(self, name), _MEMORY, "a size in m or g", "4g")
        for name in ("lake_size", "shuffle_size"):
            matches(
                f"--{name.replace('_', '-')}", getattr(self, name), _SIZE, "a size in Mi, Gi or Ti", "50Gi"
            )
        if self.storage_class:
            matches("--storage-class", self.storage_class, _DNS_NAME, "the name of a class", "standard")
        if self.lake and "://" not in self.lake:
            raise ConfigError(
                f"--lake is {shown(self.lake)}, a path that pods do not share; name a URL (s3://...), or "
                "leave it out for a volume of --lake-size"
            )
        if self.lake.startswith("file:"):
            raise ConfigError(
                f"--lake is {shown(self.lake)}, which pods do not share; name s3://... or the like"
            )
        if self.slots_of_one() > self.num_cores():
            raise ConfigError(
                f"an executor of {self.num_cores()} cores cannot have {self.slots_of_one()} ranks; "
                "raise --cores"
            )
        self.labels()
        self.secrets()

    def image_name(self) -> str:
        """The image of driver and executors."""
        return self.image or f"ringlake:{release().replace('+', '-')}"

    def num_gpus(self) -> int:
        """GPUs of an executor."""
        return max(0, self.gpus)

    def num_cores(self) -> int:
        """Cores of an executor."""
        return self.cores or 4

    def slots_of_one(self) -> int:
        """Ranks of an executor."""
        return self.num_gpus() or self.ranks

    def num_ranks(self) -> int:
        """Ranks of the training."""
        return self.workers * self.slots_of_one()

    def lake_place(self) -> str:
        """Where the lake is, as driver and executors see it."""
        return self.lake or "/lake/lake"

    def labels(self) -> dict[str, str]:
        """Labels of all that is made."""
        key = r"([a-z0-9]([-a-z0-9.]{0,100}[a-z0-9])?/)?[A-Za-z]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
        value = r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
        own = pairs("--tag", self.tag, key, value, "team=search")
        fixed = {"app.kubernetes.io/name": "ringlake", "app.kubernetes.io/instance": self.name}
        if taken := sorted(set(own) & set(fixed)):
            raise ConfigError(f"--tag {taken[0]} is a label by which pods are chosen; take another key")
        return fixed | own

    def secrets(self) -> dict[str, tuple[str, str]]:
        """Name and key of a Secret by environment variable."""
        found = pairs("--secret", self.secret, r"[A-Z][A-Z0-9_]{0,127}", _NAME_AND_KEY, "HF_TOKEN=hub/token")
        return {name: (text.split("/")[0], text.split("/")[1]) for name, text in found.items()}


def _check_image(name: str, image: str) -> None:
    matches(name, image, _IMAGE, "an image with a tag or a digest", "registry.example.org/ringlake:0.1.0")
    if image.endswith(":latest"):
        raise ConfigError(
            f"{name} is {shown(image)}: latest is another image tomorrow; name a tag or a digest"
        )
