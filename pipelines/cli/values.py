"""What the words of a command line mean for a key of the configuration, and what a help shows for them."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

if TYPE_CHECKING:
    from conf.keys import Key

NULL = "null"
"""What stands for no value, as in a run file, where the key may have none."""


def read(key: Key, value: Any) -> Any:
    """The value of a key that the words of a command line mean.

    Text stays text where the key may have text; else it is read as a number if the key takes one, and is
    left to the configuration to refuse if it is none.

    Args:
        key: The key.
        value: A word, a sequence of words for a list, or True or False.
    """
    if isinstance(value, bool):
        return value
    several = [member for member in key.members if get_origin(member) is tuple]
    nullable = NoneType in key.members
    if several:
        if nullable and list(value) == [NULL]:
            return None
        kinds = {kind for item in get_args(several[0]) if item is not Ellipsis for kind in _kinds(item)}
        return [_value(word, kinds) for word in value]
    if nullable and value == NULL:
        return None
    return _value(value, set(key.members))


def metavar(key: Key) -> str:
    """What stands for the value of a key in a help text: its choices, or the kinds of value that it takes."""
    several = [member for member in key.members if get_origin(member) is tuple]
    if several:
        return f"{_metavar(_kinds(get_args(several[0])[0]))}..."
    return _metavar(key.members)


def _kinds(annotation: Any) -> list[Any]:
    # Imported late, since it takes pydantic, for which no list of commands should wait.
    from conf.words import members

    return [member for member, _ in members(annotation)]


def _metavar(kinds: Sequence[Any]) -> str:
    """Of several kinds of value; only literal ones are put in brackets, as the choices they are."""
    names = {str: "TEXT", int: "INTEGER", float: "NUMBER", NoneType: NULL}
    words: list[str] = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            words += get_args(kind)
        elif kind in names:
            words.append(names[kind])
        else:
            # An item that is a section is given by the one key that it must have, as the path of a set.
            words += [name.upper() for name, field in kind.model_fields.items() if field.is_required()]
    literal = all(get_origin(kind) is Literal or kind is NoneType for kind in kinds)
    return f"[{'|'.join(words)}]" if literal else "|".join(words)


def _value(word: str, kinds: set[Any]) -> Any:
    if str in kinds:
        return word
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(word)
            except ValueError:
                continue
    return word
