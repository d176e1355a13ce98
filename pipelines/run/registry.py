"""All stages in the order of the data flow."""

from __future__ import annotations

from pipelines.run.data_stages import DATA_STAGES
from pipelines.run.feature_stages import FEATURE_STAGES
from pipelines.run.learn_stages import LEARN_STAGES
from pipelines.run.stage import Stage

STAGES: tuple[Stage, ...] = (*DATA_STAGES, *FEATURE_STAGES, *LEARN_STAGES)
