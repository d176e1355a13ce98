"""Phone numbers, validated by Google's libphonenumber metadata (the package phonenumbers).

A number with its country code is found anywhere. A national number means nothing without its country, so it
is looked for only in the regions that the run names; and since most runs of digits that could be dialled are
something else, it has to look written by somebody who meant a phone: with its trunk prefix, its parts set
apart, a word for phones in front, or the form of a mobile number where those have one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from pipelines.clean.privacy.detector import CATALOGUE_BEFORE, Span, preceding
from pipelines.clean.privacy.traits import DIGITS, MIN_PHONE_DIGITS

# Up to three separators between digits; 15 digits are the most that ITU-T E.164 (6.2.1) allows. A national
# number begins with no plus or point, which would make it a part of something longer; commas part the fields
# of a row, and seven digits are no group of thousands.
_SEPARATORS = r"[ ().\-/]{0,3}"
_NUMBER = rf"\+[ (]?[1-9](?:{_SEPARATORS}\d){{6,14}}(?!\d)"
_INTERNATIONAL = re.compile(rf"(?<![A-Za-z0-9+]){_NUMBER}", re.ASCII)
# Right behind a number another one may begin, although digits before a plus are a sum.
_NEXT = re.compile(_NUMBER, re.ASCII)
_BARE = rf"\(?\d(?:{_SEPARATORS}\d){{6,14}}(?![A-Za-z0-9]|_[A-Za-z]|[.:]\d|%)"
_NATIONAL = re.compile(rf"(?<![A-Za-z0-9.+/#$%*-])(?<![A-Za-z]_)(?<!\d:){_BARE}", re.ASCII)
# "020 7930 4832/020 7930 4833"
_ALTERNATIVE = re.compile(rf" ?/ ?(?P<number>{_BARE})", re.ASCII)

_GROUPS = re.compile(r"\d+", re.ASCII)
_DATE = re.compile(
    r"(?<!\d)(?:(?:1[5-9]|20)\d\d([-./ ])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?:0?[1-9]|[12]\d|3[01])([-./])(?:0?[1-9]|[12]\d|3[01])\2(?:1[5-9]|20)\d\d(?!\d)"
    r"|(?:1[5-9]|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d\d|\d{4}|\d{6})?(?!\d))"
)
_YEARS = re.compile(r"(?:19|20)\d\d |(?:1\d|20)\d\d\D{1,3}(?:1\d|20)\d\d(?!\d)")
# Four numbers with dots, and the postal codes of the United States with their four more digits.
_DOTTED = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}\Z")
_ZIP = re.compile(r"\d{5}-\d{4}\Z")
_ISBN = re.compile(r"97[89][\d-]{10,}|97[89] (?:\d+ ){3}[\dX]")

# A word before a number that says what it is.
_PHONE_BEFORE = re.compile(
    r"(?:(?:\b|_)(?:tel|telephone|phone|mobile|cell|call|fax|whatsapp|telefon|telefono|tel[eé]fono|telefone"
    r"|t[eé]l|t[eé]l[eé]phone|handy|mobil|m[oó]vil|portable|celular|rufnummer)(?:_?number|_?no|_?nummer)?\b"
    r"|电话|電話|手机|手機|热线|熱線|传真|☎|📞)"
    r"[^\w\n]{0,4}(?:(?:me|us|at|no|number|is|am|nr|是|号码|號碼|号)[^\w\n]{0,3}){0,2}\Z",
    re.IGNORECASE,
)
_OTHER_BEFORE = re.compile(
    r"(?:\b(?:v|ver|versions?|rfc|pid|uid|gid|port|build|id|bug|issue|ticket|order|invoice|cve"
    r"|sku|serial|patent|qq|seed|bytes|offset|grant|award|no|nr|time|timestamp|size|count|total|key|hash)\b|[#§$€£¥]|订单号?|单号|编号|[Qq][Qq]号?)"
    r"[^\w\n]{0,3}\Z",
    re.IGNORECASE,
)
_WINDOW = 24

# How many groups at a candidate's end may belong to what follows: "+44 20 7946 0958 9 am".
_MAX_TRAILING = 3
# And how many at its beginning to what went before: "of 3, 020 7930 4832", "(2) 020 7930 4832".
_MAX_LEADING = 2
_LATER = re.compile(r" (?=[\d(])")
_MAX_GROUPS = 7


class Phone:
    """Finds phone numbers.

    Example:
        >>> list(Phone(("GB",)).find("Call +1 212-736-5000 or 020 7930 4832."))
        [(5, 20), (24, 37)]
    """

    kind = "phone"
    needs = DIGITS

    def __init__(self, regions: tuple[str, ...] = ()) -> None:
        """Takes the regions whose national numbers are looked for, ISO 3166-1 in capitals.

        Raises:
            ValueError: A region has no numbering plan in the metadata.
        """
        unknown = sorted(set(regions) - phonenumbers.SUPPORTED_REGIONS)
        if unknown:
            raise ValueError(
                f"phone_regions: {unknown} are no regions with phone numbers; use ISO 3166-1 codes, "
                f"e.g. US, DE, CN"
            )
        self._regions = regions

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each number."""
        spans = list(self._international(text)) if "+" in text else []
        if not self._regions:
            return iter(spans)
        taken = 0
        found: list[Span] = []
        match = _NATIONAL.search(text)
        while match:
            start, end = match.span(match.lastgroup or 0)
            while taken < len(spans) and spans[taken][1] <= start:
                taken += 1
            overlaps = taken < len(spans) and spans[taken][0] < end
            span = None if overlaps else self._national(text, start, end)
            if span:
                found.append(span)
                end = span[1]
            match = (_ALTERNATIVE.match(text, end) if span else None) or _NATIONAL.search(text, end)
        return iter(sorted(spans + found))

    def _international(self, text: str) -> Iterator[Span]:
        match = _INTERNATIONAL.search(text)
        while match:
            behind = match.end()
            for end in () if _is_decimal(match.group()) else _ends(text, *match.span()):
                if _is_valid(text[match.start() : end], None):
                    yield match.start(), end
                    behind = end
                    break
            # The number's last digit may hide another one.
            match = _NEXT.match(text, behind) or _INTERNATIONAL.search(text, behind)

    def _national(self, text: str, begin: int, stop: int) -> Span | None:
        for start in _starts(text, begin, stop):
            before = preceding(text, start, _WINDOW)
            meant = bool(_PHONE_BEFORE.search(before))
            if not meant and (
                _OTHER_BEFORE.search(before)
                or CATALOGUE_BEFORE.search(before)
                or _is_no_phone(text[start:stop])
            ):
                continue
            for end in _ends(text, begin, stop):
                if end > start and any(_is_national(text[start:end], at, meant) for at in self._regions):
                    return start, end
        return None


def _is_national(written: str, region: str, meant: bool) -> bool:
    groups = _GROUPS.findall(written)
    digits = "".join(groups)
    if len(digits) not in _lengths(region) or written.count("(") != written.count(")"):
        return False
    # Groups of one digit occur only in front ("1-800-...", "0 30 ...").
    if not meant and (len(groups) > _MAX_GROUPS or any(len(group) == 1 for group in groups[1:])):
        return False
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number(number):
        return False
    if meant:
        return True
    national = "".join(_GROUPS.findall(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)))
    if not written.isdecimal():
        return digits in (national, _trunk(region) + national)
    return digits == national and (
        digits.startswith("0") or phonenumbers.number_type(number) == PhoneNumberType.MOBILE
    )


@cache
def _lengths(region: str) -> frozenset[int]:
    """How many digits a number of a region may have, its trunk prefix included."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None  # asked of the metadata when the detector was made
    assert metadata.general_desc is not None
    return frozenset(
        length + len(prefix)
        for length in metadata.general_desc.possible_length
        for prefix in ("", _trunk(region))
        if length + len(prefix) >= MIN_PHONE_DIGITS
    )


@cache
def _trunk(region: str) -> str:
    metadata = PhoneMetadata.metadata_for_region(region)
    return (metadata.national_prefix if metadata is not None else None) or ""


def _starts(text: str, begin: int, stop: int) -> Iterator[int]:
    """Where the candidate may begin: at its first group of digits, or at a later one behind a space."""
    yield begin
    if text[begin] == "(":
        # A bracket around more than the number: "(212-736-5000 today)".
        yield begin + 1
    for number, found in enumerate(_LATER.finditer(text, begin, stop)):
        if number == _MAX_LEADING:
            return
        yield found.end()


def _ends(text: str, begin: int, stop: int) -> Iterator[int]:
    """Where the candidate may end: at its last digit, then at those before it that a space or slash follows.

    No number ends in a group of one digit: that begins something else.
    """
    groups = [group.span() for group in _GROUPS.finditer(text, begin, stop)]
    ends = [end for start, end in groups if end - start > 1]
    last = ends.pop() if ends else stop
    yield last
    yield from [end for end in reversed(ends) if text[end] == "/" or text[end].isspace()][:_MAX_TRAILING]


def _is_valid(written: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False


def _is_decimal(written: str) -> bool:
    """Whether it is a number such as +2.718281828: one point, no other separator."""
    rest = written.lstrip("+( ")
    return rest.count(".") == 1 and rest.replace(".", "").isdecimal()


def _is_no_phone(written: str) -> bool:
    """Whether it holds a date, begins with a year or an ISBN, or is a decimal, an address or a list."""
    if _is_decimal(written) or written.count("/") > 1 or _DATE.search(written):
        return True
    return any(pattern.match(written) for pattern in (_YEARS, _ISBN, _DOTTED, _ZIP))
