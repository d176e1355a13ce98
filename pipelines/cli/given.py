"""A text that a command is given by the name of a file, or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines.errors import InputError


def content_of(flag: str, name: str, limit: int, too_long: str) -> bytes:
    """What a file holds, '-' for standard input; no more of it than the limit is read.

    Args:
        flag: The option that names it, for messages.
        name: The file.
        limit: Most bytes.
        too_long: The message where there are more.

    Raises:
        InputError: It cannot be read, or has more bytes.
    """
    try:
        if name == "-":
            content = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(name).open("rb") as stream:
                content = stream.read(limit + 1)
    except OSError as error:
        raise InputError(
            f"{flag} {name!r} cannot be read: {error.strerror}; name a text file, or - for standard input"
        ) from None
    if len(content) > limit:
        raise InputError(too_long)
    return content
