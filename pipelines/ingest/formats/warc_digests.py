"""The digests of a WARC record: `algorithm:value`, in base 32 or hexadecimal (WARC 1.1, 5.8 and 5.9)."""

from __future__ import annotations

import base64
import hashlib

_ALGORITHMS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})


def digest_matches(stated: str, content: bytes) -> bool | None:
    """Whether bytes have a digest; None for an algorithm or a form that is not known here.

    Args:
        stated: The digest as the record's header has it.
        content: The bytes.
    """
    algorithm, colon, value = stated.strip().partition(":")
    algorithm = algorithm.lower().replace("-", "")
    if not colon or algorithm not in _ALGORITHMS:
        return None
    digest = hashlib.new(algorithm, content, usedforsecurity=False).digest()
    as_base32 = base64.b32encode(digest).decode().rstrip("=")
    return value.lower() == digest.hex() or value.upper().rstrip("=") == as_base32
