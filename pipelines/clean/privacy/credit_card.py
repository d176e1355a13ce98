"""Payment card numbers: ranges and lengths of the issuers, check digit of Luhn (ISO/IEC 7812-1, annex B).

The ranges are those that the networks publish for merchants, as of 2024: Visa 4; Mastercard 51 to 55 and 2221
to 2720; American Express 34 and 37; Discover 6011, 644 to 649 and 65; Diners Club 300 to 305, 36, 38 and 39;
JCB 3528 to 3589; UnionPay 62; Maestro 5018, 5020, 5038, 5893, 6304, 6759, 6761 to 6763; Mir 2200 to 2204.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import luhn

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import LONG_DIGITS

# How the digits are grouped on cards: in fours, American Express 4-6-5, Diners Club 4-6-4, UnionPay 6-13.
# Each place where one may begin is looked at, so that a number beside it changes nothing.
_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9])(?=\d{4})(?:"
    r"(?P<plain>\d{12,19})"
    r"|(?P<fours>\d{4}(?P<by>[ ._-]|  | - )\d{4}(?P=by)\d{4}(?P=by)\d{4})(?:(?P=by)\d{1,3}(?![A-Za-z0-9]))?"
    r"|\d{4}(?P<mark>[ ._-])\d{6}(?P=mark)\d{4,5}"
    r"|\d{6}[ -]\d{13}"
    r")(?![A-Za-z0-9])"
)
_START = re.compile(r"(?<![A-Za-z0-9])\d{4}(?=\d{2}|[ ._-])")

# Beside other digits it is a part of something longer: "0.4111111111111111", "0,4111111111111111",
# "4111111111111111.50", ".4111111111111111"; or the last part of a UUID (RFC 9562, 4).
_DECIMAL_BEFORE = re.compile(r"(?:\d|(?<![^\s,;:=(\[{]))\.\Z|(?<![\d,(])0,\Z")
_UUID_BEFORE = re.compile(r"[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-\Z")
_DECIMAL_BEHIND = re.compile(r"\.\d{1,11}(?!\d)")
_LONG_BEFORE = re.compile(r"\d{12}\.\Z")
_WINDOW = 12

# More digits than E.164 (6.2.1) allows behind a plus, which then joins two words of an address in the web.
_MIN_BEHIND_PLUS = 16

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

_WITHOUT_SEPARATORS = str.maketrans("", "", " ._-")


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
        start = _START.search(text)
        while start:
            span = _card(text, start.start())
            if span:
                yield span
            start = _START.search(text, span[1] if span else start.start() + 4)


def _card(text: str, start: int) -> Span | None:
    """The number that begins there, with its group of one to three further digits if it has one."""
    match = _CANDIDATE.match(text, start)
    if not match:
        return None
    ends = [match.end()]
    if match["fours"] and match.end("fours") < match.end():
        ends.append(match.end("fours"))
    for end in ends:
        digits = text[start:end].translate(_WITHOUT_SEPARATORS)
        if _is_issued(digits) and luhn.is_valid(digits) and not _is_part(text, start, end, len(digits)):
            return start, end
    return None


def _is_part(text: str, start: int, end: int, num_digits: int) -> bool:
    before = text[max(0, start - _WINDOW) : start]
    if before.endswith("+") and num_digits < _MIN_BEHIND_PLUS:
        return True
    if before.endswith((".", ",")) and _DECIMAL_BEFORE.search(before) and not _is_row(text, start, end):
        return True
    if text.startswith(".", end) and _DECIMAL_BEHIND.match(text, end):
        return True
    return before.endswith("-") and end - start == num_digits and bool(_UUID_BEFORE.search(before))


def _is_row(text: str, start: int, end: int) -> bool:
    """Whether the number stands between separators of a row, or behind another number of its length."""
    return (text[start - 1] == "," and text[end : end + 1] == ",") or bool(
        _LONG_BEFORE.search(text[max(0, start - _WINDOW - 1) : start])
    )


def _is_issued(digits: str) -> bool:
    prefix = int(digits[:6])
    return any(low <= prefix <= high and len(digits) in lengths for low, high, lengths in _ISSUERS)
