"""Looks at all that the key of a stage depends on, each part once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf import RunConfig
from pipelines.added import extension_of
from pipelines.run.binding import Besides, Given, Provenance, binding_of
from pipelines.run.context import Context
from pipelines.run.keys import config_json, digest, run_key
from pipelines.run.libraries import versions
from pipelines.run.stage_code import stage_code
from pipelines.run.version import code_version
from pipelines.stages import Stage
from ringlake.base.extensions import Extension


@dataclass(frozen=True)
class Prepared:
    """A stage with all that its key depends on, each part looked at once.

    Attributes:
        given: What it is given.
        besides: What it reads besides tables, with its fingerprint.
        config: Its sections, see `config_json`.
        extensions: What of other packages it uses, or is.
    """

    given: Given[Any]
    besides: Besides[Any]
    config: str
    extensions: tuple[Extension, ...] = ()

    @property
    def key(self) -> str:
        """Its key: another one as soon as anything that decides its result is another."""
        return self.given.provenance.run_key


def prepare(context: Context, stage: Stage) -> Prepared:
    """Looks at what a stage reads.

    Raises:
        InputError: A table that it reads is missing, or what it reads besides cannot be read.
        ExtensionError: What of another package it needs cannot be used.
    """
    tables = {
        name: context.catalog.info(name, context.version_of(name)) for name in stage.reads_of(context.config)
    }
    besides = binding_of(stage).besides(context)
    config = config_json(stage.config(context.config))
    inputs = {name: table.version for name, table in tables.items()}
    extensions = (*extension_of(stage), *besides.extensions)
    key = stage_key(stage, context.config, inputs, besides.fingerprint, extensions)
    provenance = Provenance(stage.name, key, inputs, digest(config), code_version())
    return Prepared(Given(stage, context, tables, besides.value, provenance), besides, config, extensions)


def stage_key(
    stage: Stage,
    config: RunConfig,
    inputs: Mapping[str, int],
    fingerprint: str,
    extensions: Sequence[Extension] = (),
) -> str:
    """The key of a stage with a configuration.

    Args:
        stage: Its declaration.
        config: The whole configuration; its own sections count.
        inputs: Version of each table that it reads.
        fingerprint: Hash of what it reads besides.
        extensions: What of other packages it uses: name, version and sources of each count.
    """
    return run_key(
        stage.name,
        config_json(stage.config(config)),
        inputs,
        fingerprint,
        stage_code(stage),
        versions(stage.libraries(config))
        | {f"{found.group}/{found.name}": f"{found.distribution} {found.code}" for found in extensions},
    )
