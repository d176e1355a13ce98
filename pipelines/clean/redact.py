"""Personal data in texts that stay: e-mail addresses and public IP addresses become typed placeholders.

An address that nobody could reach says nothing about a person, so private, reserved and documentation
ranges stay. Four numbers with dots can also be a version: they stay where a word or an operator before them
says so ("version 1.2.3.4", "numpy==1.2.3.4", "section 4.10.2.7"). Elsewhere they count as an address, because
a lost version costs less than a published address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

EMAIL_PLACEHOLDER = "[EMAIL]"
IP_PLACEHOLDER = "[IP_ADDRESS]"

# The look-behinds make matches begin where a run of characters begins, which keeps matching linear.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
    r"(?![A-Za-z0-9_])"
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\w)")
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){1,7}:(?:[0-9A-Fa-f]{1,4}|(?<=::))(?!\w|:[\w:]|\.\w)"
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


@dataclass(frozen=True)
class Redacted:
    """A text without personal data.

    Attributes:
        text: The text with placeholders.
        num_emails: E-mail addresses that were replaced.
        num_ips: Public IP addresses that were replaced.
    """

    text: str
    num_emails: int = 0
    num_ips: int = 0


def redact(text: str, emails: bool = True, ips: bool = True) -> Redacted:
    """Replaces e-mail addresses and public IP addresses.

    Example:
        >>> redact("Mail jo@example.org or see 8.8.8.8, not 10.0.0.1.").text
        'Mail [EMAIL] or see [IP_ADDRESS], not 10.0.0.1.'
    """
    num_emails = num_ips = 0
    count = int(emails and "@" in text)
    while count:
        # Where addresses touch, the first one's end hides the second one's beginning.
        text, count = _EMAIL.subn(EMAIL_PLACEHOLDER, text)
        num_emails += count
    # Counting dots and colons first spares most texts the slower patterns.
    if ips and text.count(".") >= 3:
        text, count = _replace(_IPV4, _is_public_ipv4, text)
        num_ips += count
    if ips and ("::" in text or text.count(":") >= 7):
        text, count = _replace(_IPV6, _is_public_ipv6, text)
        num_ips += count
    return Redacted(text, num_emails, num_ips)


def _replace(
    pattern: re.Pattern[str], is_public: Callable[[re.Match[str]], bool], text: str
) -> tuple[str, int]:
    count = 0

    def placeholder(match: re.Match[str]) -> str:
        nonlocal count
        if not is_public(match):
            return match.group()
        count += 1
        return IP_PLACEHOLDER

    return pattern.sub(placeholder, text), count


def _is_public_ipv4(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match.group())
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    before = match.string[max(0, match.start() - _VERSION_WINDOW) : match.start()]
    return not _VERSION_BEFORE.search(before)


def _is_public_ipv6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match.group())
    except ValueError:
        return False
    num_groups = sum(bool(group) for group in match.group().split(":"))
    return address in _PUBLIC_IPV6 and address.is_global and num_groups >= _MIN_IPV6_GROUPS
