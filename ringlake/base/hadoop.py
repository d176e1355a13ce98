"""Finds Hadoop's configuration inside a YARN container, for clients that are not Java."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "HADOOP_CONF_DIR"

SHIPPED = Path("__spark_conf__") / "__hadoop_conf__"
"""Where Spark on YARN unpacks the submitter's Hadoop configuration in a container's working folder."""


def use_shipped_configuration(environment: MutableMapping[str, str] | None = None) -> None:
    """Name the configuration that Spark shipped, unless the cluster's own is named already.

    hdfs-native and delta-rs read HADOOP_CONF_DIR: without it they know no nameservice (high availability)
    and no `hdfs:///path` without a host.

    Args:
        environment: Variables to complete; this process's own if None.
    """
    environment = os.environ if environment is None else environment
    shipped = SHIPPED.absolute()
    if not environment.get(VARIABLE) and (shipped / "core-site.xml").is_file():
        environment[VARIABLE] = str(shipped)
