"""International bank account numbers (ISO 13616): country, structure of its accounts, check digits modulo 97.

Structure and length of each country's numbers are those of the SWIFT registry, as python-stdnum carries it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import IBAN_START

# At most 34 characters, in one piece or in groups parted by a space or a hyphen.
_CANDIDATE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_GROUP = re.compile(r"[A-Za-z0-9]+")

# Words behind a number look like more groups of it; the shortest number, Norway's, has 15 characters.
_MIN_CHARACTERS = 15
_MAX_TRAILING = 8


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
        for match in _CANDIDATE.finditer(text):
            ends = [group.end() for group in _GROUP.finditer(text, match.start(), match.end())]
            for end in reversed(ends[-1 - _MAX_TRAILING :]):
                written = text[match.start() : end]
                if len(written) < _MIN_CHARACTERS:
                    break
                if iban.is_valid(written.replace("\u00a0", " "), check_country=False):
                    yield match.start(), end
                    break
