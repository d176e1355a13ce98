"""Private keys in PEM form (RFC 7468, section 10 and 11; RFC 1421; OpenSSH's and OpenPGP's blocks alike).

Certificates and public keys are public and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import DASHES

_BEGIN = re.compile(r"-----BEGIN ((?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?)-----")

# A key without its end is redacted as far as its text goes on: base64 in lines, also with escaped line
# breaks.
_BODY = re.compile(r"(?:[A-Za-z0-9+/=]|\\[nr]|[\s\"',>|])*")

MAX_CHARACTERS = 16_384
"""Longest block that is looked for; an RSA key of 16,384 bits has 12,700 characters."""


class PrivateKey:
    """Finds private keys, from the line that begins them to the line that ends them."""

    kind = "private_key"
    needs = DASHES

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each key."""
        match = _BEGIN.search(text)
        while match:
            limit = match.end() + MAX_CHARACTERS
            mark = f"-----END {match.group(1)}-----"
            end = text.find(mark, match.end(), limit)
            if end >= 0:
                end += len(mark)
            else:
                body = _BODY.match(text, match.end(), limit)
                end = match.end() + (len(body.group().rstrip()) if body else 0)
            yield match.start(), end
            match = _BEGIN.search(text, end)
