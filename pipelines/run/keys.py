"""When a stage need not run again: the hash of all that its result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from conf.urls import values_without_secrets


def config_json(sections: Mapping[str, BaseModel]) -> str:
    """The parts of the configuration that a stage reads, as JSON with sorted keys, exactly as given.

    It is hashed into keys and never stored: what looks like a secret to be left out may be the difference
    between two runs, as the query of an address in a prompt. For what is stored see `shown_config`.
    """
    return json.dumps(
        {name: section.model_dump(mode="json") for name, section in sections.items()}, sort_keys=True
    )


def shown_config(config: str) -> str:
    """What `config_json` gave as it is stored with every run: URLs in it have lost their secrets."""
    return json.dumps(values_without_secrets(json.loads(config)), sort_keys=True)


def digest(*parts: Any) -> str:
    """Hash of JSON values, 16 hex digits: different parts give different hashes."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_key(
    stage: str,
    config: str,
    inputs: Mapping[str, int],
    fingerprint: str,
    code: str,
    libraries: Mapping[str, str],
) -> str:
    """The key of a stage run: equal keys mean equal results, so the stage is not run again.

    Args:
        stage: Name of the stage.
        config: Its part of the configuration, see `config_json`.
        inputs: Version of each input table.
        fingerprint: Hash of what it reads besides tables (input files, a model); may be empty.
        code: `stage_code()`.
        libraries: Version of each library that decides its result, those of extensions among them.
    """
    return digest(stage, config, dict(inputs), fingerprint, code, dict(libraries))
