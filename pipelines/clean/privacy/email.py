"""E-mail addresses: a local part of the characters in common use (RFC 5322, 3.2.3, dot-atom) and a host name
(RFC 1035, 2.3.1: labels of at most 63 characters) under a top-level domain that exists, or a public IPv4
address.

Letters of European scripts count too (RFC 6531); Chinese ones do not, because Chinese is written up to an
address without a space. The at-sign may be written as URLs and HTML write it.
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Iterator

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.top_level import TOP_LEVEL
from pipelines.clean.privacy.traits import AT

_AT = re.compile(r"@|%40|&#(?:64|[xX]40);")

# Latin, Greek, Cyrillic and Armenian letters; the signs between those of Latin 1 are no letters.
_LETTERS = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u0556"
_LOCAL = re.compile(rf"[A-Za-z0-9._%+'\u2019{_LETTERS}-]+\Z")
_ASCII_LOCAL = string.ascii_letters + string.digits + "._%+-'"

_LABEL = rf"[A-Za-z0-9{_LETTERS}](?:[A-Za-z0-9{_LETTERS}-]{{0,61}}[A-Za-z0-9{_LETTERS}])?"
_HOST = re.compile(
    rf"(?:{_LABEL}\.){{1,16}}(?:[Xx][Nn]--[A-Za-z0-9-]{{0,58}}[A-Za-z0-9]|[A-Za-z]{{2,63}}|[{_LETTERS}]{{2,63}})"
    r"(?![A-Za-z0-9])"
)
_NUMBERS = re.compile(r"\[?(?:IPv4:)?((?:\d{1,3}\.){3}\d{1,3})(?!\w|\.\w)\]?", re.ASCII)

# A picture for dense screens ("logo@2x.md") and a version ("tool@1.2.3.zip") are no hosts.
_SCALE = re.compile(r"[1-9](?:\.\d)?x\.", re.IGNORECASE)
_VERSION = re.compile(r"v?\d+\.\d+(?:[.-]\w+)*", re.IGNORECASE)
# Nor is the attribute of a variable behind the operator of a matrix product ("x@self.id", "q@k.to(device)").
_OWN = re.compile(r"(?:self|cls|this)\.")
_CALLED = frozenset({"at", "dot", "id", "in", "int", "is", "name", "run", "to"})
# The user under which version control is reached is nobody; what follows is the place of a repository.
_ROLES = frozenset({"git", "hg", "svn"})
# Quotes of code that a letter stands before: f'...', b'...'.
_PREFIXED = re.compile(r"(?:[bBfFrRuU]{1,2})?['\u2019]+")


class Email:
    """Finds e-mail addresses.

    Example:
        >>> list(Email().find("Mail jo@example.org."))
        [(5, 19)]
    """

    kind = "email"
    needs = AT

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each address."""
        taken = 0
        for sign in _AT.finditer(text):
            if sign.start() < taken:
                continue
            end = _end_of_host(text, sign.end())
            start = _start_of_local(text, taken, sign.start()) if end else sign.start()
            if start == sign.start():
                continue
            if text[start] == "_" and text[end : end + 1] == "_":
                start += 1  # both are emphasis: "_jo@example.org_"
                if start == sign.start():
                    continue
            if text[end : end + 1] in (":", "/") and text[start : sign.start()].lower() in _ROLES:
                continue
            yield start, end
            taken = end


def _start_of_local(text: str, floor: int, at: int) -> int:
    """Where the local part begins that ends at `at`; `at` if there is none."""
    before = text[at - 1 : at]
    if before == '"':
        # A quoted local part (RFC 5322, 3.2.4).
        opening = text.rfind('"', max(floor, at - 66), at - 1)
        return opening if opening >= 0 and "\n" not in text[opening:at] and at - opening > 2 else at
    # From the at-sign to the left: each character is looked at once, since no at-sign is among them.
    start = at
    while start > floor:
        low = max(floor, start - 64)
        chunk = text[low:start]
        if chunk.isascii():
            begin = low + len(chunk.rstrip(_ASCII_LOCAL))
        else:
            found = _LOCAL.search(chunk)
            begin = low + found.start() if found else start
        if begin == start:
            break
        start = begin
        if begin > low:
            break
    quote = _PREFIXED.match(text, start, at)
    if quote:
        start = quote.end()
    while start < at and text[start] in ".'\u2019-":
        start += 1
    return start


def _end_of_host(text: str, start: int) -> int:
    """Where the host ends that begins at `start`; 0 if there is none."""
    numbers = _NUMBERS.match(text, start)
    if numbers:
        return numbers.end() if _is_public(numbers.group(1)) else 0
    host = _HOST.match(text, start)
    if not host:
        return 0
    written = host.group()
    # What follows a host without a space looks like more of it: "jo@example.org.The next day".
    while not _is_top_level(top := written.rpartition(".")[2].lower()):
        written = written.rpartition(".")[0]
        if "." not in written:
            return 0
    # Before another at-sign the last label is the beginning of another address.
    parent = written.rpartition(".")[0]
    if (
        text.startswith("@", start + len(written))
        and "." in parent
        and _is_top_level(parent.rpartition(".")[2].lower())
    ):
        written = parent
    end = start + len(written)
    if _SCALE.match(written) or _VERSION.fullmatch(written) or _OWN.match(written):
        return 0
    if top in _CALLED and text[end : end + 1] in ("(", "["):
        return 0
    return end


def _is_top_level(label: str) -> bool:
    return label in TOP_LEVEL or label.startswith("xn--") or (not label.isascii() and not label[0].isdigit())


def _is_public(written: str) -> bool:
    try:
        return ipaddress.IPv4Address(written).is_global
    except ValueError:
        return False
