"""Payment card numbers: ranges and lengths of the issuers, check digit of Luhn (ISO/IEC 7812-1, annex B).

The ranges are those that the networks publish for merchants, as of 2024: Visa 4; Mastercard 51 to 55 and 2221
to 2720; American Express 34 and 37; Discover 6011, 644 to 649 and 65; Diners Club 300 to 305, 36, 38 and 39;
JCB 3528 to 3589; UnionPay 62; Maestro 5018, 5020, 5038, 5893, 6304, 6759, 6761 to 6763; Mir 2200 to 2204.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import luhn

from pipelines.clean.privacy.detector import Span, windows
from pipelines.clean.privacy.traits import LONG_DIGITS, MIN_CARD_DIGITS

# A number with a point or a hyphen and a digit beside it is a part of something longer.
_RUN = re.compile(r"(?<![\w.+])(?<!\d[-,])\d+(?:[ -]\d+)*(?!\w|[.,-]\d)", re.ASCII)
_GROUP = re.compile(r"\d+")
_MAX_GROUPS = 5

# Lowest and highest first six digits, and the lengths.
_ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (400000, 499999, (13, 16, 19)),
    (510000, 559999, (16,)),
    (222100, 272099, (16,)),
    (340000, 349999, (15,)),
    (370000, 379999, (15,)),
    (601100, 601199, (16, 19)),
    (644000, 659999, (16, 19)),
    (300000, 305999, (14, 16)),
    (360000, 369999, (14, 16)),
    (380000, 399999, (14, 16)),
    (352800, 358999, (16, 19)),
    (620000, 629999, (16, 17, 18, 19)),
    (501800, 501899, (12, 13, 14, 15, 16, 17, 18, 19)),
    (502000, 502099, (12, 13, 14, 15, 16, 17, 18, 19)),
    (503800, 503899, (12, 13, 14, 15, 16, 17, 18, 19)),
    (589300, 589399, (12, 13, 14, 15, 16, 17, 18, 19)),
    (630400, 630499, (12, 13, 14, 15, 16, 17, 18, 19)),
    (675900, 675999, (12, 13, 14, 15, 16, 17, 18, 19)),
    (676100, 676399, (12, 13, 14, 15, 16, 17, 18, 19)),
    (220000, 220499, (16, 17, 18, 19)),
)

# How the digits are grouped on cards: in fours, American Express 4-6-5, Diners Club 4-6-4.
_GROUPING = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{12,19}")


class CreditCard:
    """Finds payment card numbers.

    Example:
        >>> list(CreditCard().find("Paid with 4111 1111 1111 1111 today."))
        [(10, 29)]
    """

    kind = "credit_card"
    needs = LONG_DIGITS

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each number."""

        def accepts(span: Span) -> bool:
            written = text[slice(*span)]
            if not _GROUPING.fullmatch(written):
                return False
            digits = written.replace(" ", "").replace("-", "")
            return _is_issued(digits) and luhn.is_valid(digits)

        for run in _RUN.finditer(text):
            if run.end() - run.start() >= MIN_CARD_DIGITS:
                groups = [group.span() for group in _GROUP.finditer(text, run.start(), run.end())]
                yield from windows(groups, _MAX_GROUPS, accepts)


def _is_issued(digits: str) -> bool:
    prefix = int(digits[:6])
    return any(low <= prefix <= high and len(digits) in lengths for low, high, lengths in _ISSUERS)
