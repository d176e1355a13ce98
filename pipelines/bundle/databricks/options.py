"""What a bundle for Databricks is asked for."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

from conf.errors import ConfigError
from pipelines.bundle.databricks.nodes import CLOUDS, Node, known, training_node
from pipelines.bundle.options import Options, matches, option, pairs, plain, shown, within
from ringlake.base.named import SCHEME, WITHOUT_VOLUMES, parse_named

LAKE_SCHEMES = ("s3", "s3a", "abfss", "gs")
"""Where the tables of a lake may lie, if not in a schema: a volume holds files and no tables."""

EXAMPLE = "unity://main.corpus/Volumes/main/corpus/files/lake"

_IDENTIFIER = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,254}"
_NODE_TYPE = r"[A-Za-z][A-Za-z0-9_.-]{1,63}"
SCOPE_AND_KEY = r"[A-Za-z0-9_.@-]{1,128}/[A-Za-z0-9_.@-]{1,128}"
MAX_TAGS = 25
"""Tags of a job, as Databricks limits them."""


@dataclass(frozen=True, kw_only=True)
class DatabricksOptions(Options):
    """What a bundle for Databricks is asked for.

    Raises:
        ConfigError: A value is not allowed; the message names the option, the value and the remedy.
    """

    cloud: str = option("aws", "Cloud of the workspace: aws, azure or gcp.", "CLOUD")
    catalog: str = option("main", "Catalog of the volume.", "NAME")
    schema: str = option("ringlake", "Schema of the volume.", "NAME")
    volume: str = option("files", "Volume with wheels, init script and marks of attempts.", "NAME")
    runtime: str = option("18", "Databricks runtime: 18 for 18 LTS ML, or 18.N.", "VERSION")
    node_type: str = option("", "Machines of the ETL; empty: one of 8 cores of the cloud.", "TYPE")
    train_node_type: str = option(
        "", "Machines that train; empty: those of the ETL, or with --gpus one with a GPU.", "TYPE"
    )
    min_workers: int = option(2, "Fewest machines of the ETL, besides its driver.", "N")
    max_workers: int = option(8, "Most of them; 0: the ETL runs on one machine.", "N")
    schedule: str = option("", "Quartz cron expression; empty: the job is started by hand.", "CRON")
    timezone: str = option("UTC", "Time zone of the schedule.", "ZONE")
    notify: tuple[str, ...] = option((), "Address that is told of failures; may be repeated.", "EMAIL")
    timeout_hours: int = option(24, "Hours after which a stage is ended.", "N")
    wheels: str = option("", "Folder of the wheels that the runtime lacks, Horovod's among them.", "PATH")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cloud not in CLOUDS:
            raise ConfigError(f"--cloud is {shown(self.cloud)}, but takes {', '.join(CLOUDS)}")
        for name in ("catalog", "schema", "volume"):
            rule = "letters, digits, _ and -"
            matches(f"--{name}", getattr(self, name), _IDENTIFIER, rule, "ringlake")
        matches("--runtime", self.runtime, r"\d{1,3}(\.\d{1,2})?", "a version such as 18 or 18.2", "18")
        for name in ("node_type", "train_node_type"):
            if value := getattr(self, name):
                matches(f"--{name.replace('_', '-')}", value, _NODE_TYPE, "a type of machine", "g5.2xlarge")
        within("--max-workers", self.max_workers, 0, 1000)
        if self.max_workers:
            within("--min-workers", self.min_workers, 1, self.max_workers)
        within("--timeout-hours", self.timeout_hours, 1, 24 * 14)
        self._check_schedule()
        for address in self.notify:
            rule = "an address of electronic mail"
            matches(
                "--notify", address, r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", rule, "me@example.org"
            )
        self._check_lake()
        self._check_tags()
        self.secrets()
        if self.wheels and not Path(self.wheels).is_dir():
            raise ConfigError(f"--wheels {shown(self.wheels)} is no folder; name one with wheels in it")
        self.node()

    def _check_schedule(self) -> None:
        if self.schedule:
            plain("--schedule", self.schedule)
            fields = self.schedule.split()
            if len(fields) not in (6, 7) or not re.fullmatch(r"[0-9A-Za-z*?,/#L W-]+", self.schedule):
                raise ConfigError(
                    f"--schedule {shown(self.schedule)} is no Quartz expression of six or seven fields "
                    "(seconds first); for example --schedule '0 15 3 * * ?'"
                )
            if (fields[3] == "?") == (fields[5] == "?"):
                raise ConfigError(
                    f"--schedule {shown(self.schedule)}: exactly one of day of month and day of week is ?; "
                    "for example --schedule '0 15 3 * * ?'"
                )
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError) as error:
            raise ConfigError(
                f"--timezone is {shown(self.timezone)}, which is no zone; for example --timezone UTC"
            ) from error

    def _check_lake(self) -> None:
        scheme = self.lake.partition("://")[0]
        if self.lake.startswith(SCHEME):
            if fault := fault_of_names(self.lake):
                raise ConfigError(f"--lake is {shown(self.lake)}: {fault}")
        elif self.lake and (scheme not in LAKE_SCHEMES or "://" not in self.lake):
            why = (
                "a volume holds files and no tables" if self.lake.startswith("/Volumes") else "no such place"
            )
            raise ConfigError(
                f"--lake is {shown(self.lake)}: {why}; name a schema and a volume ({EXAMPLE}) or an "
                "external location: " + ", ".join(f"{name}://..." for name in LAKE_SCHEMES)
            )

    def _check_tags(self) -> None:
        tags = self.tags()
        if len(tags) > MAX_TAGS:
            raise ConfigError(f"--tag: a job has {len(tags)} tags, but {MAX_TAGS} at most; give fewer")

    def tags(self) -> dict[str, str]:
        """Tags of the job and its clusters."""
        value = r"[A-Za-z0-9 _.:/=+@-]{0,255}"
        own = pairs("--tag", self.tag, r"[A-Za-z][A-Za-z0-9_-]{0,62}", value, "team=search")
        return {"project": "ringlake", "job": self.name} | own

    def secrets(self) -> dict[str, str]:
        """Environment variables as references to secrets."""
        found = pairs(
            "--secret", self.secret, r"[A-Z][A-Z0-9_]{0,127}", SCOPE_AND_KEY, "HF_TOKEN=ringlake/hub"
        )
        return {name: f"{{{{secrets/{value}}}}}" for name, value in found.items()}

    def etl_type(self) -> str:
        """Type of the machines of the ETL."""
        return self.node_type or CLOUDS[self.cloud].cpu

    def node(self) -> Node:
        """The machine that trains.

        Raises:
            ConfigError: What it has is not known, or one machine with several GPUs is to train alone.
        """
        cloud = CLOUDS[self.cloud]
        named = self.train_node_type or (cloud.gpu if self.gpus > 0 else self.etl_type())
        cores, gpus = self.cores, self.gpus
        if not self.train_node_type and known(named) is None and gpus < 0:
            gpus = 0
        node = training_node(named, cores, gpus)
        if self.workers == 0 and node.gpus > 1:
            raise ConfigError(
                f"--workers is 0, but a {node.type} has {node.gpus} GPUs: on a single node Spark gives tasks "
                "no GPUs, and ranks would share the cards; take --workers 1, or a type with one GPU"
            )
        if not node.gpus and self.ranks > node.cores:
            raise ConfigError(
                f"--ranks is {self.ranks}, but a {node.type} has {node.cores} cores; give at most as many"
            )
        return node

    def num_ranks(self) -> int:
        """Ranks of the training: one a GPU, or `ranks` a machine."""
        node = self.node()
        return max(1, self.workers) * (node.gpus or self.ranks)


def fault_of_names(lake: str) -> str:
    """What is wrong with a lake in a schema of Unity Catalog; empty if nothing is.

    Example:
        >>> fault_of_names("unity://main.corpus/Volumes/main/corpus/files/lake")
        ''
        >>> fault_of_names("unity://main.corpus/tmp/lake")
        'its files are to lie in /tmp/lake, which is no volume; for example unity://main...'
    """
    try:
        named = parse_named(lake)
    except ValueError as error:
        return str(error)
    if named is None or named[0].catalog in WITHOUT_VOLUMES:
        return f"its catalog has no volumes; for example {EXAMPLE}"
    if not re.fullmatch(r"/Volumes/[^/]+/[^/]+/[^/]+(/.+)?", named[1]):
        return f"its files are to lie in {named[1]}, which is no volume; for example {EXAMPLE}"
    return ""
