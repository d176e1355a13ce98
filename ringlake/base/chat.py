r"""A chat as text: a transcript that people can read, from which the turns can be read back exactly.

A turn is a line with the role in brackets, then the lines of what was said:

    [user]
    Hello
    [assistant]
    Hello! How can I help?

A line of what was said that itself looks like a role has one backslash more in front of it, whatever
backslashes it begins with, and loses one when it is read. Lines end with LF alone; any other character is the
content's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ROLES = ("system", "user", "assistant", "tool")
"""Who speaks in a chat, as chat templates and tokenizers know them."""

_ROLE = re.compile(r"\[([a-z_]+)\]")
_LIKE_ROLE = re.compile(r"\\*\[[a-z_]+\]")


def write_chat(messages: Iterable[tuple[str, str]]) -> str:
    r"""The transcript of a chat.

    Args:
        messages: Role and content of each turn. A role is lower-case letters and underscores; contents may be
            any text.

    Raises:
        ValueError: A role could not be read back.

    Example:
        >>> print(write_chat([("user", "What is\n[user]?"), ("assistant", "[tool]\na role")]))
        [user]
        What is
        [user]?
        [assistant]
        \[tool]
        a role
    """
    lines: list[str] = []
    for role, content in messages:
        head = f"[{role}]"
        if not _ROLE.fullmatch(head):
            raise ValueError(
                f"the role {role!r} of a chat's turn is not lower-case letters and underscores; "
                f"usual are {', '.join(ROLES)}"
            )
        lines.append(head)
        lines += ["\\" + line if looks_like_role(line) else line for line in content.split("\n")]
    return "\n".join(lines)


def read_chat(text: str) -> list[tuple[str, str]]:
    r"""Role and content of each turn of a transcript; the inverse of `write_chat`.

    Raises:
        ValueError: The text does not begin with a role: it is no transcript, or something took its first
            line.

    Example:
        >>> read_chat("[user]\nHello\n[assistant]\n\\[user]\n")
        [('user', 'Hello'), ('assistant', '[user]\n')]
    """
    turns: list[tuple[str, list[str]]] = []
    for line in text.split("\n") if text else []:
        role = _ROLE.fullmatch(line)
        if role is not None:
            turns.append((role[1], []))
        elif turns:
            turns[-1][1].append(line[1:] if looks_like_role(line) else line)
        else:
            raise ValueError(
                f"a chat begins with a line such as [user], this text with {line[:80]!r}; read chats with "
                "ingest.format chat, and clean them with a profile that drops no lines (pii-only)"
            )
    return [(role, "\n".join(lines)) for role, lines in turns]


def looks_like_role(line: str) -> bool:
    """Whether a line is a role in brackets, with any number of backslashes in front of it."""
    return _LIKE_ROLE.fullmatch(line) is not None
