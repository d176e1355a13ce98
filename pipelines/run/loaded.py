"""Importing this loads all that any stage needs, so that set-up meets a damaged package."""

from __future__ import annotations

from pipelines.run.binding import binding_of
from pipelines.stages import STAGES

BINDINGS = {stage.name: binding_of(stage) for stage in STAGES}
"""What each stage is bound by."""
