"""Lists that a user brings along: blocked addresses, blocked words, lines of boilerplate."""

from pipelines.clean.lists.lines import LineList
from pipelines.clean.lists.read import fingerprint, read_list
from pipelines.clean.lists.urls import UrlBlocklist
from pipelines.clean.lists.words import WordBlocklist

__all__ = ["LineList", "UrlBlocklist", "WordBlocklist", "fingerprint", "read_list"]
