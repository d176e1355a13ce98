"""JSON read strictly: a key twice in an object, at any depth, is an error; NaN and Infinity pass.

A lenient parser keeps records that mean something else than their author wrote. JSON proper lacks NaN and
Infinity, but Python and many others write them for missing numbers, and they cannot change a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class DuplicateKey(Exception):
    """A JSON object has a key twice."""


def parse(text: str) -> Any:
    """The value that a text is in JSON; one without white space around it sooner.

    Raises:
        json.JSONDecodeError: It is no JSON.
        DuplicateKey: An object has a key twice.
        RecursionError: It is nested too deeply.
        ValueError: It has an integer of thousands of digits, which Python refuses to convert, as that takes
            quadratic time.
    """
    try:
        value, end = _SCAN(text, 0)
    except StopIteration:
        return DECODER.decode(text)
    return value if end == len(text) else DECODER.decode(text)


def why_not(error: Exception) -> tuple[str, str, int]:
    """Reason, detail and place in the text of an error of `parse`; it is raised again if it is none.

    The detail goes behind "it is" or "it has".
    """
    if isinstance(error, json.JSONDecodeError):
        return "bad_json", f"is not valid JSON: {error.msg}", error.pos
    if isinstance(error, DuplicateKey):
        detail = f"has the key {error.args[0]!r:.80} twice in an object; nobody can know which is meant"
        return "duplicate_key", detail, 0
    if isinstance(error, RecursionError):
        return "too_deep", "is nested too deeply to be parsed", 0
    if isinstance(error, ValueError):
        return "bad_json", f"holds an unusable number: {error}", 0
    raise error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKey(key)
            seen.add(key)
    return mapping


DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys)
"""Decodes a value with white space around it."""

_SCAN: Callable[[str, int], tuple[Any, int]] = DECODER.scan_once  # type: ignore[attr-defined]
