"""Blocked addresses: domains with all that is below them, and prefixes of paths on a host.

A lookup costs one dictionary access for each label of the host and each part of the path, whatever the length
of the list.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable

MAX_URL_CHARACTERS = 4_096
"""What is looked at of an address; browsers take 2,000 to 64,000."""

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/*|^//")
_AUTHORITY_END = re.compile(r"[/?#]")
_BOUNDARY = re.compile(r"[/?#&]|$")


class UrlBlocklist:
    """A set of domains and URL prefixes.

    `example.com` blocks that domain and its subdomains, `example.com/forum` what is below that path there and
    on its subdomains. A path ends at a boundary: `/forum` blocks `/forum/1` and `/forum?id=1`, not `/forums`.
    Scheme, port, user and the case of the host do not matter; an entry may be written as a whole URL, and
    `*.example.com` and `.example.com` mean `example.com`.

    Example:
        >>> "https://www.example.com:8080/x" in UrlBlocklist(["example.com"])
        True
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._domains: set[str] = set()
        self._prefixes: set[str] = set()
        self._hosts: dict[str, int] = {}
        for entry in entries:
            host, path = split_url(entry.removeprefix("*."))
            if not host:
                continue
            if not path:
                self._domains.add(host)
                continue
            self._prefixes.add(host + path)
            depth = sum(1 for _ in _BOUNDARY.finditer(path))
            self._hosts[host] = max(depth, self._hosts.get(host, 0))

    def __len__(self) -> int:
        return len(self._domains) + len(self._prefixes)

    def __contains__(self, url: object) -> bool:
        """Whether an address is blocked; None and what has no host never is."""
        if not isinstance(url, str) or not url or not len(self):
            return False
        host, path = split_url(url)
        while host:
            if host in self._domains:
                return True
            if host in self._hosts and self._blocks_path(host, path):
                return True
            host = host.partition(".")[2]
        return False

    def _blocks_path(self, host: str, path: str) -> bool:
        # An entry's own boundaries limit how many beginnings of a path are worth a look.
        for number, boundary in enumerate(_BOUNDARY.finditer(path)):
            if number > self._hosts[host]:
                return False
            if host + path[: boundary.start()] in self._prefixes:
                return True
        return False


def split_url(url: str) -> tuple[str, str]:
    """Host in lower case and ASCII, and what follows it without slashes at the end.

    Example:
        >>> split_url("HTTP://me@Example.COM:80/a/?b=1/")
        ('example.com', '/a/?b=1')
    """
    # Browsers take a backslash for a slash.
    rest = _SCHEME.sub("", url.strip()[:MAX_URL_CHARACTERS].replace("\\", "/"), count=1)
    end = _AUTHORITY_END.search(rest)
    authority, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    host = authority.rpartition("@")[2]
    if not host.startswith("["):
        host = host.partition(":")[0]
    host = host.strip(".").lower()
    if not host.isascii():
        # What is no name that could be looked up is compared as it is written.
        with contextlib.suppress(UnicodeError):
            host = host.encode("idna").decode("ascii")
    return host, path.rstrip("/")
