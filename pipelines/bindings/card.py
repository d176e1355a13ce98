"""Card: the dataset card, by the name of the run."""

from __future__ import annotations

from pipelines.bindings.model import latest_runs, leaves
from pipelines.card.build import build_card
from pipelines.run.accounting import Tally
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.keys import digest


def _runs(context: Context) -> Besides[None]:
    return Besides(None, digest(context.config.name, latest_runs(context)))


def _card(given: Given[None]) -> Made:
    lake = given.context.lake
    build_card(lake, given.config.card, given.config.name)
    given.say(f"    card: {lake.card}")
    return Made(tally=Tally(0, 0))


BINDING = Binding(_card, _runs, leaves(lambda lake: [lake.card, lake.card_facts]))
