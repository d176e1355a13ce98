"""Lines that are to be dropped: whole ones, and beginnings."""

from __future__ import annotations

from collections.abc import Iterable


class LineList:
    """A set of lines, compared without regard to case and to how much white space there is.

    An entry that ends in * is the beginning of a line.

    Example:
        >>> "Share  THIS with friends" in LineList(["share this*"])
        True
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._whole: set[str] = set()
        self._beginnings: dict[int, set[str]] = {}
        for entry in entries:
            normal = _normal(entry.removesuffix("*"))
            if normal and entry.endswith("*"):
                self._beginnings.setdefault(len(normal), set()).add(normal)
            elif normal:
                self._whole.add(normal)

    def __len__(self) -> int:
        return len(self._whole) + sum(map(len, self._beginnings.values()))

    def __contains__(self, line: object) -> bool:
        """Whether a line is on the list."""
        if not isinstance(line, str) or not len(self):
            return False
        normal = _normal(line)
        return normal in self._whole or any(
            normal[:length] in found for length, found in self._beginnings.items()
        )


def _normal(line: str) -> str:
    return " ".join(line.casefold().split())
