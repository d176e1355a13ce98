"""What of the configuration may change between two batches: nothing unasked, and some of it never."""

from __future__ import annotations

import json
from typing import Any

from conf import RunConfig
from pipelines.dedup.history import parameters
from pipelines.errors import InputError
from pipelines.run.keys import config_json, digest, shown_config

SECTIONS = ("ingest", "clean", "dedup", "decontaminate", "tokenize", "task", "pack")
"""Sections that decide the rows of a batch."""

_NO_RESULT = {"ingest": ("max_quarantined_share",), "dedup": ("history", "batch", "max_rounds")}
"""Keys of them that decide none."""

_FIXED = ("tokenize", "task", "pack.sequence_length", "pack.method")
"""What all sequences of a lake share."""

FLAG = "--accept-changes"


def deciding(config: RunConfig) -> str:
    """The sections that decide the rows of a batch, as JSON, exactly as given."""
    tree: dict[str, Any] = json.loads(config_json({name: getattr(config, name) for name in SECTIONS}))
    for section, keys in _NO_RESULT.items():
        for key in keys:
            tree[section].pop(key)
    return json.dumps(tree, sort_keys=True)


def config_hash(config: RunConfig) -> str:
    """Hash of `deciding`."""
    return digest(deciding(config))


def noted(config: RunConfig) -> dict[str, str]:
    """What `batches` says of the configuration: without secrets, and a hash of it with them."""
    return {"config": shown_config(deciding(config)), "config_hash": config_hash(config)}


def check_possible(config: RunConfig) -> None:
    """InputError where a configuration cannot be run by batches; the message names the key and why."""
    refused = {
        "repeats.unit": (config.repeats.unit is not None, "counts lines over the whole corpus"),
        "mix.groups": (bool(config.mix.groups), "divides a budget over the whole corpus"),
        "dedup.history": (config.dedup.history is not None, "is the lake's own with batches"),
        "dedup.verify_threshold": (
            config.dedup.verify_threshold is not None,
            "needs the texts of earlier batches, of which the history has signatures only",
        ),
        "task.target_tokenizer": (
            config.task.has_target_tokenizer,
            "makes a second tokenizer, which batches do not carry on",
        ),
    }
    for key, (is_set, why) in refused.items():
        if is_set:
            raise InputError(f"--incremental: {key} {why}; leave {key} out, or run without --incremental")


def check_same(config: RunConfig, last: dict[str, Any] | None, accepts: bool) -> list[str]:
    """What changed since the last batch, a line a key.

    Args:
        config: That of this run.
        last: Row of `batches` of the last batch; None: this is the first.
        accepts: Whether changes are consented to.

    Raises:
        InputError: Something changed that must not, or that nobody has consented to.
    """
    if last is None or last["config_hash"] == config_hash(config):
        return []
    old, new = json.loads(last["config"]), json.loads(shown_config(deciding(config)))
    keys = [
        f"{section}.{key}"
        for section in SECTIONS
        for key in sorted({*old.get(section, {}), *new[section]})
        if old.get(section, {}).get(key) != new[section].get(key)
    ]
    lines = [
        f"{name}: {json.dumps(_at(old, name)):.200} in batch {last['batch']}, "
        f"{json.dumps(_at(new, name)):.200} now"
        for name in keys
    ] or ["a secret in an address is another one"]
    compared = {f"dedup.{name}" for name in json.loads(parameters(config.dedup))}
    fixed = [name for name in keys if name.startswith(_FIXED) or name in compared]
    if fixed:
        raise InputError(
            f"--incremental: {'; '.join(lines)}. {', '.join(fixed)} cannot change within a lake: its "
            "sequences have one tokenizer and one length, its documents one way of comparing; set it as it "
            "was, or begin another lake"
        )
    if not accepts:
        raise InputError(
            f"--incremental: the configuration has changed: {'; '.join(lines)}. Earlier batches stay as they "
            f"were made; if this one may differ, say {FLAG}"
        )
    return lines


def _at(tree: dict[str, Any], name: str) -> Any:
    section, _, key = name.partition(".")
    return tree.get(section, {}).get(key)
