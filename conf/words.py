"""The type of a key in words for people: what it may be, within which limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from conf.section import Section


def members(annotation: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """What a type consists of: the members of unions, each with what `Annotated` says of it.

    >>> [member for member, _ in members(int | Annotated[str, "a name"] | None)]
    [<class 'int'>, <class 'str'>, <class 'NoneType'>]
    """
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        for member, more in members(inner):
            yield member, (*_flat(said), *more)
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from members(part)
    else:
        yield annotation, ()


def words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in words, values that are meant literally between backticks.

    Args:
        annotation: The type of a field.
        metadata: The limits that its field has besides.

    >>> words(Literal["auto"] | Annotated[int, Ge(1), Le(8)])
    '`auto` or whole number from 1 to 8'
    """
    found: list[str] = []
    for member, said in members(annotation):
        found += _of_member(member, (*metadata, *said))
    if len(found) == 1:
        return found[0]
    comma = "; or" if any(", " in item for item in found) else " or"
    return f"{', '.join(found[:-1])}{comma} {found[-1]}"


def _of_member(member: Any, limits: Sequence[Any]) -> list[str]:
    """The words of a type that is no union; each value of a Literal by itself."""
    arguments = get_args(member)
    if get_origin(member) is Literal:
        return [f"`{choice}`" for choice in arguments]
    if get_origin(member) is tuple:
        if arguments[-1] is Ellipsis:
            return [f"list of {words(arguments[0])}{_length(limits)}"]
        return [f"list of {len(arguments)}: {', '.join(words(item) for item in arguments)}"]
    if get_origin(member) is dict:
        return [f"mapping of {words(arguments[0])} to {words(arguments[1])}"]
    if isinstance(member, type) and issubclass(member, Section):
        return ["section"]
    if member is str:
        return [_text(limits)]
    if member in (int, float):
        return [("whole number" if member is int else "number") + _range(limits)]
    return [{bool: "`true` or `false`", NoneType: "`null`", Any: "any value"}[member]]


def _text(limits: Sequence[Any]) -> str:
    least = any(isinstance(limit, MinLen) and limit.min_length for limit in limits)
    patterns = [limit.pattern for limit in limits if getattr(limit, "pattern", None)]
    kind = "non-empty text" if least else "text"
    return f"{kind} that matches `{patterns[0]}`" if patterns else kind


def _length(limits: Sequence[Any]) -> str:
    most = [limit.max_length for limit in limits if isinstance(limit, MaxLen)]
    return f", at most {most[0]:,}" if most else ""


def _range(limits: Sequence[Any]) -> str:
    """The range of a number, as ` from 1 to 8` or ` above 0`; empty without limits."""
    low = next((limit for limit in limits if isinstance(limit, Ge | Gt)), None)
    high = next((limit for limit in limits if isinstance(limit, Le | Lt)), None)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f" from {_number(low.ge)} to {_number(high.le)}"
    parts = []
    if low is not None:
        parts.append(f"at least {_number(low.ge)}" if isinstance(low, Ge) else f"above {_number(low.gt)}")
    if high is not None:
        parts.append(f"at most {_number(high.le)}" if isinstance(high, Le) else f"below {_number(high.lt)}")
    return " " + " and ".join(parts) if parts else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _flat(said: Sequence[Any]) -> list[Any]:
    """What `Annotated` says, the limits of a `Field` taken out of it."""
    return [limit for item in said for limit in (item.metadata if isinstance(item, FieldInfo) else [item])]
