"""Documents by their text: as it was read, or as cleaning left it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from conf import ConfigError
from conf.clean import CleanConfig
from pipelines.errors import RinglakeError
from pipelines.files.record import excerpt, repair, utf8_length
from pipelines.lake import Catalog, Lake, Ledger
from pipelines.lake.lookup import find_everywhere

_TEXTS = ("documents", "clean", "trimmed", "corpus")
"""Tables with the text of a document, in the order of the flow."""

_TOLD = ("source", "scope", "offset", "line", "reason", "detail", "excerpt", "records")

_LEAST_EXCERPT = 24
"""Characters of an excerpt of `quarantine` that a text has to share, lest any short word fits."""


@dataclass(frozen=True)
class FoundText:
    """What a lake has of a text.

    Attributes:
        doc_ids: Documents that have it, as it is in one of the tables.
        quarantined: Rows of `quarantine` whose excerpt is of this text.
        cleaning: What cleaning says of the text, should it be read with the newest configuration: `kept` or
            the rule that rejects; None where the lake was never cleaned.
    """

    doc_ids: tuple[str, ...]
    quarantined: tuple[dict[str, Any], ...]
    cleaning: str | None


def find_text(lake: Lake, content: bytes) -> FoundText:
    """The documents whose text is that of a file.

    A reader may have left out line breaks at the end, and cleaning has repaired and redacted texts: documents
    are found by the text as given, without white space around it, and by what cleaning makes of these.

    Args:
        lake: The lake.
        content: The text; bytes that are no UTF-8 can only be found in `quarantine`.
    """
    quarantined = tuple(_quarantined(lake, content))
    try:
        text, _ = repair(content.decode())
    except UnicodeDecodeError:
        return FoundText((), quarantined, None)
    wanted = list(dict.fromkeys(form for form in (text, text.rstrip("\r\n"), text.strip()) if form))
    cleaned, decision = _cleaned(lake, wanted)
    found: dict[str, None] = {}
    for table in _TEXTS:
        if Catalog(lake).exists(table):
            forms = set(wanted) if table == "documents" else {*wanted, *cleaned}
            for doc_id in sorted(_with_text(lake, table, forms)):
                found[doc_id] = None
    return FoundText(tuple(found), quarantined, decision)


def _with_text(lake: Lake, table: str, forms: set[str]) -> set[str]:
    """By length first: only row groups that have a text as long are read with their texts."""
    lengths = {utf8_length(form) for form in forms}
    rows = find_everywhere(lake, table, "num_bytes", lengths, ("doc_id", "text"))
    return {item.row["doc_id"] for item in rows if item.row["text"] in forms}


def _cleaned(lake: Lake, forms: Iterable[str]) -> tuple[list[str], str | None]:
    """What cleaning makes of texts, and its decision on the first."""
    record = Ledger(lake).latest("clean")
    if record is None:
        return [], None
    # Here and not above: the rules take a while to load.
    from pipelines.clean.judge import Judge, Kept

    try:
        judge = Judge(CleanConfig.model_validate(json.loads(record.config)["clean"]))
    except (RinglakeError, ConfigError, ValidationError, ValueError, KeyError):
        # Of another release, or with lists that are gone: the text as given is all that is looked for.
        return [], None
    decisions = [judge.judge(form) for form in forms]
    kept = [each.text for each in decisions if isinstance(each, Kept)]
    if not decisions:
        return [], None
    return kept, "kept" if isinstance(decisions[0], Kept) else decisions[0].rule


def _quarantined(lake: Lake, content: bytes) -> Iterable[dict[str, Any]]:
    """Rows of `quarantine` that show the beginning of this content, or something that stands in it."""
    if not Catalog(lake).exists("quarantine"):
        return
    from pipelines.lake import read_arrow

    shown = excerpt(content)
    whole = "".join(excerpt(content[low : low + 200]) for low in range(0, min(len(content), 1 << 20), 200))
    for row in read_arrow(lake, "quarantine", _TOLD).to_pylist():
        told = row["excerpt"] or ""
        least = min(_LEAST_EXCERPT, len(shown))
        if len(told) >= least > 0 and (
            shown[:least] in told or (len(told) >= _LEAST_EXCERPT and told in whole)
        ):
            yield row
