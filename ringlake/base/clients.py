"""What clients of file systems that are not Java need to find in the environment before they are used."""

from __future__ import annotations

from collections.abc import MutableMapping

from ringlake.base.hadoop import use_shipped_configuration
from ringlake.base.s3 import use_endpoint


def prepare_clients(environment: MutableMapping[str, str] | None = None) -> None:
    """Complete the variables by which hdfs-native and delta-rs find HDFS and S3; what is there stays.

    Args:
        environment: Variables to complete; this process's own if None.
    """
    use_shipped_configuration(environment)
    use_endpoint(environment)
