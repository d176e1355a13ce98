"""Rules on lists that the user brings along: where a document comes from, and words in it."""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import TextStats, share

_OWN = "ringlake's own; the lists are the user's"
_C4 = (
    "C4, Raffel et al. 2020, JMLR 21(140), section 2.2: no page with a listed word; the lists are the user's"
)


def url(stats: TextStats) -> float:
    """1 if the document's address is on the list, else 0; 0 without an address."""
    return float(stats.url in stats.resources.urls)


def words(stats: TextStats) -> float:
    """Occurrences of listed words and phrases."""
    return stats.once(words, lambda: stats.resources.blocked_words(stats.text, stats.language.code))


def word_share(stats: TextStats) -> float:
    """Occurrences of listed words and phrases a word of the text."""
    return share(words(stats), stats.num_words)


RULES: tuple[Rule, ...] = (
    Rule("blocklist.url.max", url, ">", 0, "Whether the document's address is on a list (1 or 0).", _OWN),
    Rule("blocklist.words.max", words, ">", 0, "Occurrences of listed words and phrases.", _C4),
    Rule("blocklist.word_share.max", word_share, ">", 0, "Listed words and phrases a word.", _OWN),
)
