"""Things in a row, each of which names the one that it follows: a list without an edit where one is added."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_order(items: Iterable[T], name: Callable[[T], str], after: Callable[[T], str]) -> tuple[T, ...]:
    """The items, each behind the one that it follows.

    Of several that follow the same one, what has fewer behind it comes first, so that a side branch stands
    where it leaves the way and not at its end; then names decide.

    Args:
        items: In any order.
        name: Name of an item.
        after: Name of the item that it follows; empty: it is the first.

    Raises:
        ValueError: Two have one name, or one follows what is not there or comes behind itself.

    >>> in_order(["b:a", "c:b", "a:", "x:a"], lambda item: item[0], lambda item: item[2:])
    ('a:', 'x:a', 'b:a', 'c:b')
    """
    known = list(items)
    names = [name(item) for item in known]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)}: there are two of this name")
    behind: dict[str, list[T]] = {}
    for item in known:
        if after(item) and after(item) not in names:
            raise ValueError(f"{name(item)!r} follows {after(item)!r}, which is none of {', '.join(names)}")
        behind.setdefault(after(item), []).append(item)

    def branch(item: T) -> tuple[T, ...]:
        return (item, *following(name(item)))

    def following(place: str) -> tuple[T, ...]:
        branches = sorted(map(branch, behind.get(place, ())), key=lambda found: (len(found), name(found[0])))
        return tuple(item for found in branches for item in found)

    ordered = following("")
    if len(ordered) < len(known):
        lost = sorted(set(names) - {name(item) for item in ordered})
        raise ValueError(f"{', '.join(lost)} follow each other in a circle")
    return ordered
