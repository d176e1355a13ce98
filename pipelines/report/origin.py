"""Where the lake comes from and how to make it again: versions, machine, command, configuration."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import psutil
from pyspark.sql import SparkSession

from conf import RunConfig
from conf.urls import values_without_secrets, without_secrets
from pipelines.lake import RunRecord
from pipelines.report.facts import Origin
from pipelines.run.version import code_version
from pipelines.text import display
from ringlake.base.trees import yaml_text

PACKAGES = (
    "delta-spark",
    "deltalake",
    "pyarrow",
    "numpy",
    "torch",
    "horovod",
    "petastorm",
    "transformers",
    "tokenizers",
    "safetensors",
)


def origin(
    spark: SparkSession,
    config: RunConfig,
    runs: Mapping[str, RunRecord],
    run_file: str,
    overrides: Sequence[str],
) -> Origin:
    """How to make the lake again.

    The stages may have been run one by one, each with flags of its own; then the run file and the
    overrides of this call do not make this lake. What does is the configuration in the ledger.

    Args:
        spark: The session, for its version.
        config: The configuration of this call.
        runs: The newest successful run of each stage.
        run_file: The run file of this call; may be empty.
        overrides: Its overrides.
    """
    given = values_without_secrets(config.model_dump(mode="json"))
    made = _as_made(given, runs)
    as_run = made == given
    if as_run:
        words = ["ringlake", "run", run_file or "run.yaml"]
        for override in overrides:
            words += ["--set", without_secrets(override)]
    else:
        words = ["ringlake", "run", "run.yaml"]
    return Origin(
        versions=_versions(spark),
        machine=_machine(config),
        command=display.shell(words),
        as_run=as_run and bool(run_file),
        configuration=yaml_text(made, width=96),
    )


def _as_made(given: dict[str, Any], runs: Mapping[str, RunRecord]) -> dict[str, Any]:
    """The configuration with every section as the stage that reads it had it."""
    result = dict(given)
    for run in runs.values():
        if run.stage == "report":
            continue
        sections = json.loads(run.config)
        result |= {name: section for name, section in sections.items() if name in result}
    return result


def _versions(spark: SparkSession) -> tuple[tuple[str, str], ...]:
    jvm = spark.sparkContext._jvm
    java = jvm.java.lang.System.getProperty("java.version") if jvm is not None else "unknown"
    return (
        ("ringlake", code_version()),
        ("python", platform.python_version()),
        ("java", str(java)),
        ("spark", spark.version),
        *((name, _version(name)) for name in PACKAGES),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _machine(config: RunConfig) -> tuple[tuple[str, str], ...]:
    return (
        ("system", f"{platform.system()} {platform.machine()}"),
        ("driver's cores", str(os.cpu_count())),
        ("driver's memory", display.size(psutil.virtual_memory().total)),
        ("spark master", config.spark.master),
    )
