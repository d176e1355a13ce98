"""A training that was interrupted goes on with the sequences that it began with, whatever was added since."""

from __future__ import annotations

import json

from pipelines.lake import Catalog
from pipelines.run.context import Context
from schemas.batches import BATCHES
from training.checkpoints.identity import find_training

_TABLE = "sequences"


def pinned_versions(context: Context) -> dict[str, int]:
    """The version of `sequences` that an interrupted training of this configuration has; else nothing.

    Only in a lake that batches are added to: elsewhere another version is other data, and is refused as such.

    Args:
        context: The run; its lake and its configuration are looked at.
    """
    catalog = Catalog(context.lake)
    if not (catalog.exists(BATCHES.name) and catalog.exists(_TABLE)):
        return {}
    now = catalog.info(_TABLE).version
    table = context.lake.table(_TABLE)
    checkpoints = context.lake.checkpoints
    for name in checkpoints.names():
        found = find_training(checkpoints.child(name))
        if found is None or found.is_finished(context.config.train.steps):
            continue
        version = found.identity.get("version")
        if found.identity.get("table") != table or type(version) is not int or version == now:
            continue
        if not _differences(context, version, found.identity):
            context.console.say(
                f"the training in {checkpoints.child(name).location} was interrupted at step {found.step}: "
                f"it goes on with version {version} of {_TABLE}; what was added since is for the next one"
            )
            return {_TABLE: version}
    return {}


def _differences(context: Context, version: int, found: dict[str, object]) -> list[str]:
    """What a training with that version would be besides; empty: it is the one that was interrupted."""
    from pipelines.bindings.train import identity, starting_point
    from pipelines.run.snapshots import take_snapshot

    start = starting_point(context).value
    own = take_snapshot(context.lake, "train", version)
    wanted = json.loads(json.dumps(identity(start, context.config.train, [own, *start.mixed])))
    return [key for key, value in wanted.items() if found.get(key) != value]
