"""What the driver knows of a training that its ranks do not, for the README of the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from conf.card import CardConfig


@dataclass(frozen=True)
class DataVersion:
    """A table that went into the model.

    Attributes:
        lake: 0 for the run's own lake, else its number in `train.mixture.lakes`.
        table: Name of the table.
        version: Its version.
        rows: Its rows.
    """

    lake: int
    table: str
    version: int
    rows: int


@dataclass(frozen=True)
class About:
    """What the driver knows.

    Attributes:
        name: What the run is called.
        data: The tables that went into the model, the sequences of each lake first.
        languages: Codes of the languages of the texts, the most frequent first.
        terms: The section `card`.
    """

    name: str = "model"
    data: tuple[DataVersion, ...] = ()
    languages: tuple[str, ...] = ()
    terms: CardConfig = field(default_factory=CardConfig)
