"""Rules on lists that the user brings along: where a document comes from, and words in it."""

from __future__ import annotations

import numpy as np

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import BatchStats, Values, share

_OWN = "ringlake's own; the lists are the user's"
_C4 = (
    "C4, Raffel et al. 2020, JMLR 21(140), section 2.2: no page with a listed word; the lists are the user's"
)


def url(stats: BatchStats) -> Values:
    """1 if the document's address is on the list, else 0; 0 without an address."""
    if stats.urls is None:
        return np.zeros(len(stats))
    blocked = stats.resources.urls
    return np.array([float(address in blocked) for address in stats.urls.to_pylist()])


def words(stats: BatchStats) -> Values:
    """Occurrences of listed words and phrases."""
    return stats.once(words, lambda: _hits(stats))


def word_share(stats: BatchStats) -> Values:
    """Occurrences of listed words and phrases a word of the text."""
    return share(words(stats), stats.num_words)


def _hits(stats: BatchStats) -> Values:
    if not stats.resources.words:
        return np.zeros(len(stats))
    pairs = zip(stats.texts.to_pylist(), stats.languages.code.tolist(), strict=True)
    return np.array([float(stats.resources.blocked_words(text, language)) for text, language in pairs])


RULES: tuple[Rule, ...] = (
    Rule("blocklist.url.max", url, ">", 0, "Whether the document's address is on a list (1 or 0).", _OWN),
    Rule("blocklist.words.max", words, ">", 0, "Occurrences of listed words and phrases.", _C4),
    Rule("blocklist.word_share.max", word_share, ">", 0, "Listed words and phrases a word.", _OWN),
)
