"""Importing this loads all that any stage needs, so that set-up meets a damaged package."""

from __future__ import annotations

from pipelines.run.binding import binding_of
from pipelines.stages import STAGES
from ringlake.base.modules import object_at
from ringlake.base.tasks import TASKS

BINDINGS = {stage.name: binding_of(stage) for stage in STAGES}
"""What each stage is bound by."""

PARTS = [object_at(place) for kind in TASKS.values() for place in (kind.examples, kind.scores) if place]
"""The sides of ringlake's tasks that those leave to be loaded by name; ranks load the third."""
