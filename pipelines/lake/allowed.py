"""What a session and a catalog allow, found out before anything is computed, and said in one line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipelines.errors import EnvironmentProblem
from pipelines.lake.unreadable import in_one_line
from ringlake.base.named import VOLUMES, Names
from ringlake.base.storage import Folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DEDICATED = (
    "run on a cluster with dedicated access mode (data_security_mode: SINGLE_USER) and an ML runtime, or use "
    "a master of your own"
)


def check_session(session: object) -> None:
    """EnvironmentProblem unless the session has a SparkContext, which barrier stages and Delta's jars want.

    Standard access mode and serverless compute give a client of Spark Connect, which has none.
    """
    if type(session).__module__.startswith("pyspark.sql.connect"):
        where = (
            "serverless compute" if os.environ.get("IS_SERVERLESS") else "standard access mode or serverless"
        )
        raise EnvironmentProblem(
            f"this Spark session is one of Spark Connect ({where}), which has no SparkContext, no RDDs and "
            f"no barrier stages; {_DEDICATED}"
        )


def check_schema(session: SparkSession, names: Names) -> None:
    """EnvironmentProblem unless the schema of a lake is there and may be used."""
    check_session(session)
    try:
        session.sql(f"DESCRIBE SCHEMA {names.quoted}").collect()
    except Exception as error:  # the catalog raises its own
        said = in_one_line(error)
        missing = any(name in said for name in ("SCHEMA_NOT_FOUND", "NO_SUCH", "NAMESPACE_NOT_FOUND"))
        remedy = f"make it: CREATE SCHEMA {names}" if missing else _catalog_remedy(said, names)
        raise EnvironmentProblem(
            f"the schema {names} of the lake cannot be used: {said}; {remedy}"
        ) from error


def check_volume(folder: Folder) -> None:
    """EnvironmentProblem if a folder lies in a volume that there is not.

    Without a volume the path would be one on the machine's own disk, and be lost with it.
    """
    parts = folder.location.removeprefix(VOLUMES).split("/")
    if not folder.location.startswith(VOLUMES):
        return
    if len(parts) < 3 or not Folder(VOLUMES + "/".join(parts[:3])).is_folder():
        full = ".".join([*parts, "VOLUME"][:3])
        raise EnvironmentProblem(
            f"there is no volume for the files of the lake at {folder.location}; make it: "
            f"CREATE VOLUME {full}, and grant READ VOLUME and WRITE VOLUME on it"
        )


def _catalog_remedy(said: str, names: Names) -> str:
    if "PERMISSION" in said.upper():
        rights = "USE SCHEMA, SELECT, MODIFY and CREATE TABLE"
        return f"grant USE CATALOG on {names.catalog}, and {rights} on {names}"
    return (
        f"is {names.catalog} a catalog of this session? Spark's own is spark_catalog; those of Unity Catalog "
        f"are there on clusters that it governs: {_DEDICATED}"
    )
