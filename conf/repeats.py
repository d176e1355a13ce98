"""Section `repeats`: what many documents share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.section import Section


class RepeatsConfig(Section):
    """Lines or paragraphs that many documents share and that are dropped from them."""

    unit: Literal["line", "paragraph"] | None = Field(
        None, description="What is counted and dropped; null: a run leaves the stage out."
    )
    min_documents: int = Field(
        7, ge=2, description="Documents a unit occurs in before it is dropped; 7 as in Llama 3."
    )
    min_words: int = Field(5, ge=1, description="Units of fewer words are never dropped.")
    keep: Literal["first", "none"] = Field(
        "first", description="first: a unit stays in the document with the smallest doc_id; none: nowhere."
    )
    min_document_words: int = Field(
        1, ge=1, description="A document that lost units and has fewer words left goes to table emptied."
    )
    max_units: int = Field(
        4_000_000,
        ge=1,
        le=2**27,
        description="Most units dropped, 20 bytes each in every Python worker; where more qualify, "
        "min_documents is raised until they fit.",
    )
