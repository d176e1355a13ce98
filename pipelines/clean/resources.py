"""What rules and steps look things up in: the user's lists and stop words, read once on the driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from conf.clean import CleanConfig
from pipelines.clean.lists import LineList, UrlBlocklist, WordBlocklist, fingerprint, read_list

ALL_LANGUAGES = "all"


@dataclass(frozen=True)
class Resources:
    """Lookups of one run.

    Attributes:
        urls: Blocked addresses.
        words: Blocked words by language; 'all' for every one.
        boilerplate: Lines of boilerplate, for the step boilerplate.lines.
        stop_words: By language; Gopher's English ones for a language that is not here.
    """

    urls: UrlBlocklist = field(default_factory=UrlBlocklist)
    words: Mapping[str, WordBlocklist] = field(default_factory=dict)
    boilerplate: LineList = field(default_factory=LineList)
    stop_words: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, config: CleanConfig) -> Resources:
        """Reads the lists that a configuration names; InputError if one cannot be read."""
        return cls(
            UrlBlocklist(
                entry for place in config.url_blocklist for entry in read_list("clean.url_blocklist", place)
            ),
            {
                language: WordBlocklist(
                    entry
                    for place in places
                    for entry in read_list(f"clean.word_blocklist.{language}", place)
                )
                for language, places in config.word_blocklist.items()
            },
            LineList(
                entry for place in config.boilerplate for entry in read_list("clean.boilerplate", place)
            ),
            {language: frozenset(words) for language, words in config.stop_words.items()},
        )

    def blocked_words(self, text: str, language: str) -> int:
        """How many blocked words a text of a language has."""
        lists = (self.words.get(ALL_LANGUAGES), self.words.get(language))
        return sum(found.hits(text) for found in lists if found is not None)


EMPTY = Resources()


def lists_fingerprint(config: CleanConfig) -> str:
    """Hash of the content of every list that a configuration names, '' if it names none."""
    lists = [("clean.url_blocklist", place) for place in config.url_blocklist]
    for language, places in sorted(config.word_blocklist.items()):
        lists += [(f"clean.word_blocklist.{language}", place) for place in places]
    lists += [("clean.boilerplate", place) for place in config.boilerplate]
    return fingerprint(lists)
