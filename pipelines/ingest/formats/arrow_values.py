"""Values of Arrow columns as readers take them, whatever their type: no value ends a stage.

Arrow, Spark and Parquet hold dates, times and time zones that Python's types do not. What Python can hold
becomes the text that `str` gives of it; of the rest dates follow ISO 8601 with an expanded year
(`+12000-01-01`), a time zone that nobody knows becomes UTC, which is the same instant, and what no text can
tell is null. The text of a value never depends on the other values of its column.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY_SECONDS = 86_400
_DAYS_TO_1970 = 719_162  # from the first day of the year 1
_DAYS_OF_400_YEARS = 146_097


def column_values(column: pa.Array) -> list[Any]:
    """The values of a column: str, int, float, bool or None; lists and dicts of these for nested types.

    Of a column of strings, a value that is not UTF-8 is given as its bytes, which no other type gives: bytes
    of a binary column become their text if that is printable UTF-8, else hexadecimal digits.
    """
    return _values(column, is_nested=False)


def is_string(column: pa.DataType) -> bool:
    """Whether a type holds strings, in any of Arrow's layouts."""
    column = _plain_type(column)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(column) for is_kind in kinds)


def _plain_type(column: pa.DataType) -> pa.DataType:
    """The type of the values, without the layout that holds them."""
    while True:
        if isinstance(column, pa.BaseExtensionType):
            column = column.storage_type
        elif pa.types.is_dictionary(column) or pa.types.is_run_end_encoded(column):
            column = column.value_type
        else:
            return column


def _values(column: pa.Array, *, is_nested: bool) -> list[Any]:
    kind, types = column.type, pa.types
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _each(column.storage.to_pylist(), lambda raw: str(uuid.UUID(bytes=raw)))
        return _values(column.storage, is_nested=is_nested)
    if types.is_dictionary(kind):
        found = _values(column.dictionary, is_nested=is_nested)
        return _each(column.indices.to_pylist(), found.__getitem__)
    if types.is_run_end_encoded(kind):
        return _values(pc.run_end_decode(column), is_nested=is_nested)
    if is_string(kind):
        return _strings(column, is_nested=is_nested)
    if types.is_null(kind) or types.is_boolean(kind) or types.is_integer(kind):
        return list(column.to_pylist())
    if types.is_floating(kind):
        return _each(column.to_pylist(), float)
    for check, convert in _CONVERTERS:
        if check(kind):
            return convert(column)
    return [_any(scalar) for scalar in column]


def _each(values: list[Any], convert: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in values]


def _strings(column: pa.Array, *, is_nested: bool) -> list[str | bytes | None]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        kind = pa.binary_view() if pa.types.is_string_view(column.type) else pa.large_binary()
        # Inside a list or struct the rest of the value is worth keeping.
        bad = "backslashreplace" if is_nested else None
        return _each(column.cast(kind).to_pylist(), lambda raw: _text_or_bytes(raw, bad))


def _text_or_bytes(raw: bytes, errors: str | None) -> str | bytes:
    try:
        return raw.decode("utf-8", errors or "strict")
    except UnicodeDecodeError:
        return raw


def _binary(column: pa.Array) -> list[str | None]:
    return _each(column.to_pylist(), _text_or_digits)


def _text_or_digits(raw: bytes) -> str:
    text = _text_or_bytes(raw, None)
    return text if isinstance(text, str) and text.isprintable() else raw.hex()


def _decimals(column: pa.Array) -> list[str | None]:
    return _each(column.to_pylist(), str)


def _dates(column: pa.Array) -> list[str | None]:
    if pa.types.is_date64(column.type):
        days = _each(column.cast(pa.int64()).to_pylist(), lambda value: value // (_DAY_SECONDS * 1000))
    else:
        days = column.cast(pa.int32()).to_pylist()
    return _each(days, _date)


def _date(days: int) -> str:
    """The date of so many days since 1970, in the proleptic Gregorian calendar."""
    day = days + _DAYS_TO_1970
    if 0 <= day < datetime.date.max.toordinal():
        return datetime.date.fromordinal(day + 1).isoformat()
    eras, day = divmod(day, _DAYS_OF_400_YEARS)
    date = datetime.date.fromordinal(day + 1)
    year = date.year + 400 * eras
    return f"{year:+05d}{date:-%m-%d}" if year > datetime.MAXYEAR or year < 0 else f"{year:04d}{date:-%m-%d}"


def _timestamps(column: pa.Array) -> list[str | None]:
    kind = column.type
    if kind.tz is not None and not _is_known_zone(kind):
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    try:
        return _each(column.to_pylist(), str)
    except (ArithmeticError, ValueError):
        return [_timestamp(scalar) for scalar in column]


def _is_known_zone(kind: pa.DataType) -> bool:
    try:
        pa.scalar(0, kind).as_py()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - time zone databases raise errors of their own
        return False
    return True


def _timestamp(scalar: Any) -> str | None:
    if not scalar.is_valid:
        return None
    try:
        return str(scalar.as_py())
    except (ArithmeticError, ValueError):
        # Its zone's rules do not reach so far: UTC.
        unit = scalar.type.unit
        seconds, fraction = divmod(scalar.value, _UNITS_PER_SECOND[unit])
        days, seconds = divmod(seconds, _DAY_SECONDS)
        zone = "" if scalar.type.tz is None else "+00:00"
        return f"{_date(days)} {_clock(seconds, fraction, unit)}{zone}"


def _clock(seconds: int, fraction: int, unit: str) -> str:
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{_decimals_of(fraction, unit)}"


def _decimals_of(fraction: int, unit: str) -> str:
    return f".{fraction:0{_FRACTION_DIGITS[unit]}d}" if fraction else ""


def _times(column: pa.Array) -> list[str | None]:
    unit = column.type.unit
    per_second = _UNITS_PER_SECOND[unit]
    integers = pa.int32() if pa.types.is_time32(column.type) else pa.int64()

    def text(value: int) -> str | None:
        seconds, fraction = divmod(value, per_second)
        return _clock(seconds, fraction, unit) if 0 <= seconds < _DAY_SECONDS else None

    return _each(column.cast(integers).to_pylist(), text)


def _durations(column: pa.Array) -> list[str | None]:
    """ISO 8601 durations in seconds, which have no largest value."""
    unit = column.type.unit

    def text(value: int) -> str:
        seconds, fraction = divmod(abs(value), _UNITS_PER_SECOND[unit])
        return f"{'-' if value < 0 else ''}PT{seconds}{_decimals_of(fraction, unit)}S"

    return _each(column.cast(pa.int64()).to_pylist(), text)


def _intervals(column: pa.Array) -> list[str | None]:
    def text(value: Any) -> str:
        seconds, fraction = divmod(abs(value.nanoseconds), 10**9)
        sign = "-" if value.nanoseconds < 0 else ""
        return f"P{value.months}M{value.days}DT{sign}{seconds}{_decimals_of(fraction, 'ns')}S"

    return _each(column.to_pylist(), text)


def _lists(column: pa.Array) -> list[list[Any] | None]:
    lengths = pc.list_value_length(column).to_pylist()
    return _cut(_values(column.flatten(), is_nested=True), lengths)


def _cut(values: list[Any], lengths: list[int | None]) -> list[list[Any] | None]:
    found: list[list[Any] | None] = []
    start = 0
    for length in lengths:
        if length is None:
            found.append(None)
        else:
            found.append(values[start : start + length])
            start += length
    return found


def _structs(column: pa.Array) -> list[Any]:
    names = [field.name for field in column.type]
    children = [_values(child, is_nested=True) for child in column.flatten()]
    rows = zip(*children, strict=True) if children else ((),) * len(column)
    # Pairs where a name occurs twice, so that no value is lost.
    make: Any = dict if len(set(names)) == len(names) else list
    valid = column.is_valid().to_pylist()
    pairs = ([*zip(names, row, strict=True)] for row in rows)
    return [make(row) if is_valid else None for row, is_valid in zip(pairs, valid, strict=True)]


def _maps(column: pa.Array) -> list[Any]:
    offsets = column.offsets.to_pylist()
    first, size = offsets[0], offsets[-1] - offsets[0]
    sides = (column.keys.slice(first, size), column.items.slice(first, size))
    pairs = [*zip(*(_values(side, is_nested=True) for side in sides), strict=True)]
    valid = column.is_valid().to_pylist()
    ranges = zip(offsets, offsets[1:], valid, strict=False)
    return [_map(pairs[start - first : end - first]) if is_valid else None for start, end, is_valid in ranges]


def _map(pairs: list[tuple[Any, Any]]) -> Any:
    names = [key for key, _ in pairs]
    is_object = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return dict(pairs) if is_object else pairs


def _any(scalar: Any) -> str | None:
    """The text of a value of any other type, null where it has none."""
    try:
        value = scalar.as_py()
        return None if value is None else str(value)
    except MemoryError:
        raise  # not a null: the value is there
    except Exception:  # noqa: BLE001 - each type raises errors of its own, and none may end the stage
        return None


def _is_binary(kind: pa.DataType) -> bool:
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(check(kind) for check in checks) or pa.types.is_fixed_size_binary(kind)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    checks = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(check(kind) for check in (*checks, types.is_list_view, types.is_large_list_view))


_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[Any]]], ...] = (
    (pa.types.is_decimal, _decimals),
    (pa.types.is_date, _dates),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_time, _times),
    (pa.types.is_duration, _durations),
    (pa.types.is_interval, _intervals),
    (_is_binary, _binary),
    (pa.types.is_struct, _structs),
    (pa.types.is_map, _maps),
    (_is_list, _lists),
)
