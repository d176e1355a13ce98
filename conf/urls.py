"""URLs as they may be shown and stored: without the secrets that people write into them."""

from __future__ import annotations

import re
from typing import Any

# A password may hold a slash that nobody escaped; it is told from a path by the colon that begins no port.
_USERINFO = re.compile(
    r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)([^/?#\s'\"]*@|[^/?#\s'\"@:]*:(?!\d*(?:[/?#\s'\"]|$))[^\s'\"@]*@)"
)
# Azure's container stands where others have the user.
_CONTAINER_SCHEMES = ("abfs://", "abfss://", "wasb://", "wasbs://")
_QUERY_OF_HTTP = re.compile(r"(\bhttps?://[^\s'\"?#]*)[?#][^\s'\"]*", re.IGNORECASE)
# Elsewhere a question mark may be a wildcard, unless keys and values follow it.
_QUERY = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"?]*)\?[\w.~%-]+=[^\s'\"]*")


def without_secrets(text: str) -> str:
    """The text with every URL in it shorn of user, password and query; other text stays as it is.

    Example:
        >>> without_secrets("cannot open ftp://me:secret@host/a.txt")
        'cannot open ftp://host/a.txt'
    """
    if "://" not in text:
        return text
    text = _USERINFO.sub(_without_userinfo, text)
    return _QUERY.sub(r"\1", _QUERY_OF_HTTP.sub(r"\1", text))


def _without_userinfo(match: re.Match[str]) -> str:
    scheme, userinfo = match.groups()
    is_container = scheme.lower() in _CONTAINER_SCHEMES and ":" not in userinfo
    return scheme + (userinfo if is_container else "")


def values_without_secrets(value: Any) -> Any:
    """A JSON value with `without_secrets` applied to every string in it."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: values_without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [values_without_secrets(item) for item in value]
    return value
