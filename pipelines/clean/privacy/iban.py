"""International bank account numbers (ISO 13616): country, structure of its accounts, check digits modulo 97.

Structure and length of each country's numbers are those of the SWIFT registry, as python-stdnum carries it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from stdnum import iban, numdb

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import IBAN_START

# In one piece, or in groups parted by a space, a hyphen or a point.
_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ .-]?\d{2}(?=[ .-]?[A-Za-z0-9])")
_PLAIN = re.compile(r"[A-Za-z0-9]+")
_PARTS = re.compile(r"\d+")


class Iban:
    """Finds international bank account numbers.

    Example:
        >>> list(Iban().find("Send it to GB82 WEST 1234 5698 7654 32 please."))
        [(11, 38)]
    """

    kind = "iban"
    needs = IBAN_START

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each number."""
        taken = 0
        for match in _START.finditer(text):
            pattern = _pattern(match.group()[:2].upper())
            found = pattern.match(text, match.start()) if pattern and match.start() >= taken else None
            if found and iban.is_valid("".join(_PLAIN.findall(found.group())), check_country=False):
                yield found.span()
                taken = found.end()


@cache
def _pattern(country: str) -> re.Pattern[str] | None:
    """The characters of a number of a country, which all have one length; None where there are none."""
    entries = numdb.get("iban").info(country)
    structure = dict(entries[0][1]).get("bban") if entries else None
    if not structure:
        return None
    length = 2 + sum(map(int, _PARTS.findall(structure)))
    return re.compile(rf"[A-Za-z]{{2}}(?:[ .-]?[A-Za-z0-9]){{{length}}}(?![A-Za-z0-9])")
