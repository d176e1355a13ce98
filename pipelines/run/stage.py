"""The description of a stage of the run, and what its execution gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from pipelines.run.accounting import Tally
from pipelines.run.context import Context
from training.storage import File


@dataclass(frozen=True)
class Outcome:
    """What a stage did: versions written, rows accounted for, what it measured besides."""

    outputs: dict[str, int]
    tally: Tally
    details: dict[str, Any] = field(default_factory=dict)


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
        artefacts: Files it leaves besides tables; it runs again if one is gone.
        enabled: Whether a whole run has this stage; as a command of its own it runs whatever this says.
        instead: Tables it reads in place of some of `inputs`, or besides them, given the configuration.
    """

    name: str
    purpose: str
    sections: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    execute: Callable[[Context, dict[str, Any]], Outcome]
    fingerprint: Callable[[Context], str] = lambda _context: ""
    artefacts: Callable[[Context], list[File]] = lambda _context: []
    enabled: Callable[[Context], bool] = lambda _context: True
    instead: Callable[[Context], tuple[str, ...]] | None = None

    def reads(self, context: Context) -> tuple[str, ...]:
        """The tables it reads with this configuration."""
        return self.inputs if self.instead is None else self.instead(context)

    def config(self, context: Context) -> dict[str, BaseModel]:
        """Its sections of the configuration by name."""
        return {section: getattr(context.config, section) for section in self.sections}
