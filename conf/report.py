"""Section `report`: how much it shows."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section


class ReportConfig(Section):
    """What the report shows."""

    examples_per_rule: int = Field(3, ge=0, le=50, description="Rejected documents shown for each rule.")
    num_clusters: int = Field(10, ge=0, le=200, description="Largest duplicate clusters shown.")
    excerpt_chars: int = Field(400, ge=40, le=10_000, description="Characters shown of a document.")
