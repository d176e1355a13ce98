"""Plain trees of lists and mappings as YAML that reads back as what was written."""

from __future__ import annotations

import re
from typing import Any

import yaml

_UNFOLDED = 10**6
"""Wider than any line, so that what users search for stays in one piece."""

_BREAKS = re.compile("[\r\x85\u2028\u2029]")


def yaml_text(*documents: Any, width: int = _UNFOLDED) -> str:
    """Trees as YAML documents, in the order of their keys.

    A text that YAML would read as something else is quoted, whatever is in it.

    Args:
        documents: Lists, mappings and plain values.
        width: Columns after which a line is folded.
    """
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        width=width,
        allow_unicode=True,
        explicit_start=len(documents) > 1,
    )


class _Dumper(yaml.SafeDumper):
    """Writes a list that stands in two places twice, in place of an anchor, which some readers refuse.

    A line break of Unicode that is no newline stands escaped in double quotes: in any other style PyYAML
    writes it as it is, and a reader takes it for a space.
    """

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is named by an anchor."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text, quoted where it holds a line break that YAML would fold."""
        style = '"' if _BREAKS.search(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)
