"""Public IP addresses, version 4 (RFC 791) and 6 (RFC 4291).

An address that nobody could reach says nothing about a person, so private, reserved and documentation
ranges stay. Four numbers with dots can also be a version: they stay where a word or an operator before them
says so ("version 1.2.3.4", "numpy==1.2.3.4", "section 4.10.2.7"). Elsewhere they count as an address, because
a lost version costs less than a published address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from pipelines.clean.privacy.detector import Span, preceding
from pipelines.clean.privacy.traits import COLONS, DOTTED

# The look-behinds make matches begin where a run of characters begins, which keeps matching linear. Letters
# are those of ASCII: Chinese is written up to an address without a space.
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)", re.ASCII)
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){1,7}:(?:[0-9A-Fa-f]{1,4}|(?<=::))(?!\w|:[\w:]|\.\w)",
    re.ASCII,
)

# What makes four numbers a version or a section: a word for it, or an operator of requirements.
_VERSION_BEFORE = re.compile(
    r"(?:(?:\b|_)(?:v|ver|versions?|releases?|since|build|sections?|chapters?)\.?[ \t]*[:=,]?[ \t]*|§[ \t]*"
    r"|[=<>~!]=?[ \t]*)$",
    re.IGNORECASE,
)
_VERSION_WINDOW = 24

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
    return not _VERSION_BEFORE.search(preceding(match.string, match.start(), _VERSION_WINDOW))


def _is_public_ipv6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match.group())
    except ValueError:
        return False
    num_groups = sum(bool(group) for group in match.group().split(":"))
    return address in _PUBLIC_IPV6 and address.is_global and num_groups >= _MIN_IPV6_GROUPS
