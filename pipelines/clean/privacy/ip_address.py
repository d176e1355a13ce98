"""Public IP addresses, version 4 (RFC 791) and 6 (RFC 4291).

An address that nobody could reach says nothing about a person, so private, reserved and documentation
ranges stay. Four numbers with dots can also be a version: they stay where a word before them says so
("version 1.2.3.4", "section 4.10.2.7", "Chrome/120.0.0.0"), an operator that only requirements have
("numpy==1.2.3.4", but not "ip.addr == 8.8.8.8"), or what is joined to them ("1.2.3.4-rc1"). Elsewhere they
count as an address, because a lost version costs less than a published address: "=" assigns and "<" and ">"
quote, point and enclose.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from pipelines.clean.privacy.detector import Span, preceding
from pipelines.clean.privacy.traits import COLONS, DOTTED

# The look-behinds make matches begin where a run of characters begins, which keeps matching linear. Letters
# are those of ASCII: Chinese is written up to an address without a space.
_IPV4 = re.compile(r"(?<![A-Za-z0-9.])(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9]|\.\w)", re.ASCII)
_IPV6 = re.compile(
    # A colon before it belongs to a word: "from:2606:4700::1", "IPv6:2606:4700::1".
    r"(?:(?<![A-Za-z0-9:.])|(?<=[G-Zg-z]:)|(?<=IPv6:)|(?<=[sS][rR][cC]:)|(?<=[a-z]]:))"
    r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){1,7}:(?:[0-9A-Fa-f]{1,4}|(?<=::))(?![A-Za-z0-9]|:[\w:]|\.\w)",
    re.ASCII,
)

# What makes four numbers a version or a section: a word for it, with what parts a name from its value,
# perhaps other versions between; a product as user agents write it (RFC 9110, 10.1.5); an operator of
# requirements.
_WORD_BEFORE = re.compile(
    r"(?:(?:(?:\b|_)(?i:v|ver|versions?|versi[oó]n|releases?|revisions?|rev|since|build|firmware|patch|oid"
    r"|sections?|secci[oó]n|chapters?|cap[ií]tulo|abschnitt|kapitel|clause|figure|fig)|[a-z](?:Version|Release))"
    r"|版本号?|§)"
    r"[.\"']?(?:[ \t]*[:=,(>]?[ \t]*[\"'\u201c\u2018]?)"
    r"(?:(?:\d{1,3}\.){1,3}\d{1,3}(?:, ?|,? and |,? or | to | ?- ?|/)){0,3}\Z"
)
_PRODUCT_BEFORE = re.compile(r"(?:^|[\s;(,\"'])[A-Z][A-Za-z]{2,24}/\Z")
_OPERATOR_BEFORE = re.compile(r"(?:[=<>~!]=|===|~>|[\^~])[ \t]*\Z|[A-Za-z0-9_\])](?P<order>[<>])\Z")
# Names whose values are compared with addresses, not with versions.
_ADDRESS_NAME = re.compile(
    r"(?i:ip|ipv4|addr|address|host|src|dst|source|client|remote|server|peer|gateway)[\"'\])]{0,2}"
    r"[ \t]*[=<>~!]=?[ \t]*\Z"
)
_TAG_BEFORE = re.compile(r"<[^<>]*>\Z")
_VERSION_BEHIND = re.compile(
    r"(?:-\d+)?_(?:amd64|arm64|armhf|i386|all|x86|noarch)|[-+~](?i:alpha|beta|rc|dev|snapshot|preview|final|release|hotfix|ga|post|build|b\d|\d+(?:ubuntu|\.?el|\.?fc|deb|\+))"
)
_VERSION_WINDOW = 64

# The range from which IANA assigns public IPv6 addresses. Elsewhere colons are code: "a::b" in C++.
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
# "2000::3" is a slice of Python as well; real addresses name more groups.
_MIN_IPV6_GROUPS = 3


class Ipv4Address:
    """Finds public IPv4 addresses.

    Example:
        >>> list(Ipv4Address().find("See 8.8.8.8, not 10.0.0.1."))
        [(4, 11)]
    """

    kind = "ip_address"
    needs = DOTTED

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each address."""
        return (match.span() for match in _IPV4.finditer(text) if _is_public_ipv4(match))


class Ipv6Address:
    """Finds public IPv6 addresses."""

    kind = "ip_address"
    needs = COLONS

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each address."""
        return (match.span() for match in _IPV6.finditer(text) if _is_public_ipv6(match))


def _is_public_ipv4(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match.group())
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not _is_version(match)


def _is_version(match: re.Match[str]) -> bool:
    text, start, end = match.string, match.start(), match.end()
    before = preceding(text, start, _VERSION_WINDOW)
    before = before[before.rfind("\n") + 1 :]
    if _VERSION_BEHIND.match(text, end) or _WORD_BEFORE.search(before) or _PRODUCT_BEFORE.search(before):
        return True
    operator = _OPERATOR_BEFORE.search(before)
    if not operator or _ADDRESS_NAME.search(before):
        return False
    # One bracket behind a name is a requirement ("numpy<1.2.3.4") unless it opens or ends something.
    return operator["order"] is None or not (text[end : end + 1] in ("<", ">") or _TAG_BEFORE.search(before))


def _is_public_ipv6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match.group())
    except ValueError:
        return False
    num_groups = sum(bool(group) for group in match.group().split(":"))
    return address in _PUBLIC_IPV6 and address.is_global and num_groups >= _MIN_IPV6_GROUPS
