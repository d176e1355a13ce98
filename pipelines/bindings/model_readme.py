"""The README of the lake's model, written anew when there is more to say: scores, or a licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.bindings.model import has_own_model
from pipelines.lake import Lake
from pipelines.lake.paths import read_json
from pipelines.run.context import Context
from ringlake.base.storage import File
from training.models.card.render import render
from training.models.made import CARD_FILE, read_card


def readme_of(lake: Lake) -> File:
    """The README of the lake's model."""
    return lake.model.file(CARD_FILE)


def write_readme(context: Context, scores: Mapping[str, Any] | None = None) -> File | None:
    """Writes it from what training noted, the scores and the section `card`.

    Nothing else of the model folder changes, nor does what tells it from another training's.

    Args:
        context: Lake and configuration.
        scores: Content of evaluation.json; None: what the newest evaluation of this model left, if it did.

    Returns:
        The README; None where there is no model of the newest training, or one of an earlier release.
    """
    # Here and not above: the report's modules take long to load, and a run with nothing to do needs none.
    from pipelines.report.collect import is_own

    lake = context.lake
    card = read_card(lake.model) if has_own_model(context) else None
    if card is None:
        return None
    if scores is None and is_own(context.ledger.records(), lake, "evaluate", lake.evaluation):
        scores = read_json(lake.evaluation) if lake.evaluation.exists() else None
    file = readme_of(lake)
    file.replace(render(card, context.config.card, scores))
    return file
