"""When a stage need not run again: the hash of all that its result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from conf.urls import values_without_secrets


def config_json(sections: Mapping[str, BaseModel]) -> str:
    """The parts of the configuration that a stage reads, as JSON with sorted keys.

    It is stored with every run, so URLs in it lose their secrets; a changed password reruns nothing.
    """
    return json.dumps(
        {name: values_without_secrets(section.model_dump(mode="json")) for name, section in sections.items()},
        sort_keys=True,
    )


def digest(*parts: Any) -> str:
    """Hash of JSON values, 16 hex digits: different parts give different hashes."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_key(stage: str, config: str, inputs: Mapping[str, int], fingerprint: str, code: str) -> str:
    """The key of a stage run: equal keys mean equal results, so the stage is not run again.

    Args:
        stage: Name of the stage.
        config: Its part of the configuration, see `config_json`.
        inputs: Version of each input table.
        fingerprint: Hash of what it reads besides tables (input files, a model); may be empty.
        code: `code_version()`.
    """
    return digest(stage, config, dict(inputs), fingerprint, code)
