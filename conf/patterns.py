"""Regular expressions of the user's, matched in linear time: RE2's, which pyarrow carries.

What they are matched against, such as the name of a file, may be anybody's; with Python's own expressions
some patterns would take years for a name of forty characters.
"""

from __future__ import annotations


def first_group(pattern: str, text: str) -> str | None:
    r"""What the first group of a pattern matches, at the first place where the pattern is found in a text.

    Args:
        pattern: A regular expression of RE2's: Python's without look-around and references to groups.
        text: Any text.

    Returns:
        The part of the text, empty where the group has no part in the match; None where there is no match.

    Raises:
        ValueError: The pattern is no expression of RE2's, or has no group.

    Example:
        >>> first_group(r"([^/]+)\.txt$", "reviews/pos.txt")
        'pos'
    """
    # Here and not above: most runs have no such pattern, and commands that load a configuration are light.
    import pyarrow as pa
    import pyarrow.compute as pc

    given = pa.scalar(text)
    try:
        is_found = bool(pc.match_substring_regex(given, pattern).as_py())
    except pa.ArrowInvalid as error:
        raise ValueError(f"{pattern!r} is no regular expression of RE2: {error!s:.200}") from None
    try:
        found: str = pc.replace_substring_regex(given, f"^(?s:.*?)(?:{pattern})(?s:.*)$", r"\1").as_py()
    except pa.ArrowInvalid:
        raise ValueError(f"{pattern!r} has no group: put what is wanted of the match in brackets") from None
    return found if is_found else None
