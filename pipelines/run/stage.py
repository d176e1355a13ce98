"""The description of a stage of the run, and what its execution gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from pipelines.errors import RinglakeError
from pipelines.run.accounting import Tally
from pipelines.run.context import Context


@dataclass(frozen=True)
class Outcome:
    """What a stage did: versions written, rows accounted for, what it measured besides.

    A `refusal` fails the run although its tables are written and add up: they show why.
    """

    outputs: dict[str, int]
    tally: Tally
    details: dict[str, Any] = field(default_factory=dict)
    refusal: RinglakeError | None = None


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: Name on the command line and in the ledger.
        purpose: What it does, a phrase for people.
        sections: Sections of the configuration it reads.
        inputs: Tables it reads.
        outputs: Tables it writes.
        execute: Does the work; gets the commit metadata that its tables carry.
        fingerprint: Hash of what it reads besides tables.
        artefacts: Identity of each file or folder that it leaves besides tables, by name, given what the run
            noted (`Outcome.details`). The ledger keeps them: the stage runs again if one is gone or is
            another's, as that of a run which was killed before it was recorded.
        enabled: Whether a whole run has this stage; as a command of its own it runs whatever this says.
        instead: Tables it reads in place of some of `inputs`, or besides them, given the configuration.
        libraries: Names of the libraries whose versions decide its result (`pipelines.run.libraries`).
        code: Modules that do its work (`pipelines.run.stage_code`); where they change, it runs again.
        bound_in: Modules besides that of `execute` that tie it to its tables.
    """

    name: str
    purpose: str
    sections: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    execute: Callable[[Context, dict[str, Any]], Outcome]
    fingerprint: Callable[[Context], str] = lambda _context: ""
    artefacts: Callable[[Context, Mapping[str, Any]], dict[str, str]] = lambda _context, _details: {}
    enabled: Callable[[Context], bool] = lambda _context: True
    instead: Callable[[Context], tuple[str, ...]] | None = None
    libraries: Callable[[Context], tuple[str, ...]] = lambda _context: ()
    code: tuple[str, ...] = field(kw_only=True)
    bound_in: tuple[str, ...] = ()

    def reads(self, context: Context) -> tuple[str, ...]:
        """The tables it reads with this configuration."""
        return self.inputs if self.instead is None else self.instead(context)

    def config(self, context: Context) -> dict[str, BaseModel]:
        """Its sections of the configuration by name."""
        return {section: getattr(context.config, section) for section in self.sections}
