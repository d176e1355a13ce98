"""One S3 for three clients: s3fs and delta-rs go by AWS's variables, s3a by settings made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

SCHEMES = ("s3://", "s3a://")

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ALLOW_HTTP = "AWS_ALLOW_HTTP"

_FILE_SYSTEM = "org.apache.hadoop.fs.s3a.S3AFileSystem"

_CREDENTIALS = ",".join(
    (
        # What a core-site.xml has, then what the AWS SDK finds: variables, profiles, the machine's role.
        "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",
        "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
    )
)


def is_s3(place: str) -> bool:
    """Whether a path or URL lies on S3 or on a server that speaks its interface."""
    return place.lower().startswith(SCHEMES)


def endpoint(environment: Mapping[str, str] | None = None) -> str | None:
    """The server that stands in for AWS, by the variables that all of its clients know; None: AWS itself."""
    return _first(os.environ if environment is None else environment, _ENDPOINTS)


def use_endpoint(environment: MutableMapping[str, str] | None = None) -> None:
    """Let delta-rs speak to an endpoint without TLS if the user has named one, as s3fs and s3a do.

    Args:
        environment: Variables to complete; this process's own if None.
    """
    environment = os.environ if environment is None else environment
    if (endpoint(environment) or "").lower().startswith("http://"):
        environment.setdefault(_ALLOW_HTTP, "true")


def hadoop_settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Spark settings by which s3a reaches what the AWS variables name, under both schemes.

    No secret is among them: the SDK in the JVM reads it where botocore does.

    Args:
        environment: The variables; this process's own if None.
    """
    environment = os.environ if environment is None else environment
    found = {"fs.s3.impl": _FILE_SYSTEM, "fs.s3a.aws.credentials.provider": _CREDENTIALS}
    if (server := endpoint(environment)) is not None:
        # Servers that stand in for AWS seldom have a name for each bucket.
        found |= {"fs.s3a.endpoint": server, "fs.s3a.path.style.access": "true"}
    if (region := _first(environment, _REGIONS)) is not None:
        found["fs.s3a.endpoint.region"] = region
    return {f"spark.hadoop.{key}": value for key, value in found.items()}


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)
