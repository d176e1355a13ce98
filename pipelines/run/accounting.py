"""The law of every stage: in = out + rejected + quarantined + removed as duplicate."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import AccountingError


@dataclass(frozen=True)
class Tally:
    """What became of the rows of a stage, counted in one unit.

    Attributes:
        unit: What is counted: 'documents' (for ingest: records of files) or 'sequences'.
    """

    rows_in: int
    rows_out: int
    rows_rejected: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    unit: str = "documents"

    def check(self, stage: str) -> None:
        """AccountingError unless the rows add up."""
        accounted = self.rows_out + self.rows_rejected + self.rows_quarantined + self.rows_duplicate
        if accounted != self.rows_in:
            raise AccountingError(
                f"{stage}: {self.rows_in} {self.unit} went in, but {self.rows_out} out + "
                f"{self.rows_rejected} rejected + {self.rows_quarantined} quarantined + "
                f"{self.rows_duplicate} duplicates = {accounted}; the run is not recorded as done. "
                "Please report this with the run file"
            )

    def __str__(self) -> str:
        parts = [f"{self.rows_in:,} in", f"{self.rows_out:,} out"]
        for count, word in (
            (self.rows_rejected, "rejected"),
            (self.rows_quarantined, "quarantined"),
            (self.rows_duplicate, "duplicates"),
        ):
            if count:
                parts.append(f"{count:,} {word}")
        return ", ".join(parts)
