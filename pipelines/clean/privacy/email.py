"""E-mail addresses: a local part of the characters in common use (RFC 5322, 3.2.3, dot-atom) and a host name
(RFC 1035, 2.3.1: labels of at most 63 characters) with a top-level domain of letters.

Quoted local parts and addresses in other scripts (RFC 6531) are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import AT

_ADDRESS = (
    r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(?![A-Za-z0-9_])"
)
# The look-behind makes matches begin where a run of characters begins, which keeps matching linear.
_FIRST = re.compile(rf"(?<![A-Za-z0-9._%+-]){_ADDRESS}")
# Right behind an address another one may begin: the end of the first hides its beginning.
_NEXT = re.compile(_ADDRESS)


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
        position = 0
        match = _FIRST.search(text)
        while match:
            yield match.span()
            position = match.end()
            match = _NEXT.match(text, position) or _FIRST.search(text, position)
